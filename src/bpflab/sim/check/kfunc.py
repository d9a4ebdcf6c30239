"""Calls of kernel functions: arguments by their BTF and flags, and what r0 holds afterwards (check_kfunc_call)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.kfuncs import KfuncFlag
from bpflab.obj.btf_layout import resolve, resolved
from bpflab.obj.btf_types import Composite, Pointer
from bpflab.sim.check.ends import throw
from bpflab.sim.check.frames import forget_arguments
from bpflab.sim.check.kfunc_arguments import check_kfunc_arguments, pointed_size
from bpflab.sim.check.kfunc_effects import EFFECTS, RESULTS
from bpflab.sim.check.on_stack import ITERATES, follow_iterator
from bpflab.sim.check.sections import check_kfunc_here
from bpflab.sim.check.state import Reference
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import ANY, Value, of_width

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State
    from bpflab.sim.check.subject import KfuncFacts


THROW: Final = "bpf_throw"
REFCOUNT_ACQUIRE: Final = "bpf_refcount_acquire_impl"
"""It gives null only for an object that is merely lent."""


def call_kfunc(checker: Checker, state: State) -> int | None:
    """Follow the call of a kernel function; None where it ends the path."""
    facts, btf = checker.subject.kfuncs.get(state.pc), checker.subject.kernel_types
    if facts is None or btf is None:
        forget_arguments(state)
        checker.write(state, 0, ANY)
        return state.pc + 1
    check_kfunc_here(checker, state, facts)
    check_kfunc_arguments(checker, state, btf, facts)
    if facts.name == THROW:
        throw(checker, state)
        return None
    if facts.flags & ITERATES:
        follow_iterator(checker, state, facts, btf)
    if facts.name in EFFECTS:
        EFFECTS[facts.name](checker, state)
    result = _result(checker, state, facts, btf)
    _release(checker, state, facts)
    result = None if result is None else _flagged(checker, state, facts, result)
    forget_arguments(state)
    if result is not None:
        checker.write(state, 0, result)
    return state.pc + 1


def _release(checker: Checker, state: State, facts: KfuncFacts) -> None:
    if not facts.flags & KfuncFlag.RELEASE:
        return
    held = [state.regs[reg] for reg in range(1, 6) if state.regs[reg].reference]
    if not held and state.regs[1].kind is not Kind.ANY:
        checker.refuse(f"arg#0 of {facts.name} must be referenced", Errno.EINVAL)
    if held:
        state.release(held[0].reference)
    else:
        state.references = state.references[:-1]


def _result(checker: Checker, state: State, facts: KfuncFacts, btf: Btf) -> Value | None:
    """Give what r0 holds, before the function's flags are looked at; None if it is unset."""
    if facts.name in RESULTS:
        return RESULTS[facts.name](checker, state)
    if not facts.proto.return_id:
        return None
    target = resolved(btf, facts.proto.return_id)
    if isinstance(target, Pointer):
        return _pointer(btf, target)
    return of_width(pointed_size(btf, facts.proto.return_id))


def _flagged(checker: Checker, state: State, facts: KfuncFacts, value: Value) -> Value:
    """Mark a pointer that may be null, and one that must be released."""
    surely = facts.name == REFCOUNT_ACQUIRE and not state.regs[1].lent
    if facts.flags & KfuncFlag.RET_NULL and value.kind is not Kind.ANY and not surely:
        value = value._replace(nullable=True, id=checker.new_id())
    if facts.flags & KfuncFlag.ACQUIRE:
        value = value._replace(reference=checker.new_id())
        state.references += (Reference(value.reference, state.pc),)
    return value


def _pointer(btf: Btf, pointer: Pointer) -> Value:
    target = resolve(btf, pointer.type_id)
    if isinstance(btf[target], Composite):
        return Value(Kind.TRUSTED_BTF, btf=target)
    return Value(Kind.RDONLY_MEM, size=pointed_size(btf, pointer.type_id))
