"""Calls of kernel functions: arguments by their BTF and flags, and what r0 holds afterwards (check_kfunc_call)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.kfuncs import KfuncFlag
from bpflab.errors import BtfError
from bpflab.obj.btf_layout import resolve, resolved, size_of
from bpflab.obj.btf_types import Composite, Pointer
from bpflab.sim.check.arguments import check_memory
from bpflab.sim.check.state import Reference
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import ANY, UNSET, Value, of_width

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_types import Parameter
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State
    from bpflab.sim.check.subject import KfuncFacts

NULLABLE: Final = ("__nullable", "__opt")
"""Endings of parameters that take a null pointer (Documentation/bpf/kfuncs.rst)."""


def call_kfunc(checker: Checker, state: State) -> int:
    """Follow the call of a kernel function."""
    facts, btf = checker.subject.kfuncs.get(state.pc), checker.subject.kernel_types
    if facts is None or btf is None:
        state.regs[0:6] = [UNSET] * 6
        checker.write(state, 0, ANY)
        return state.pc + 1
    if facts.flags & KfuncFlag.SLEEPABLE and not checker.subject.sleepable:
        checker.refuse(f"program must be sleepable to call sleepable kfunc {facts.name}")
    for reg, parameter in enumerate(facts.proto.parameters[:5], 1):
        _check_argument(checker, state, btf, reg, parameter)
    _release(checker, state, facts)
    result = _result(checker, state, facts, btf)
    state.regs[0:6] = [UNSET] * 6
    if result is not None:
        checker.write(state, 0, result)
    return state.pc + 1


def _check_argument(checker: Checker, state: State, btf: Btf, reg: int, parameter: Parameter) -> None:
    value = checker.read(state, reg)
    target = resolved(btf, parameter.type_id)
    if not isinstance(target, Pointer):
        return
    if value.nullable and not parameter.name.endswith(NULLABLE):
        checker.refuse(f"Possibly NULL pointer passed to trusted arg{reg - 1}")
    if value.kind is Kind.STACK:
        size = _pointed_size(btf, target)
        if size:
            check_memory(checker, state, reg, value, size, write=True)


def _pointed_size(btf: Btf, pointer: Pointer) -> int:
    try:
        return size_of(btf, pointer.type_id)
    except BtfError:
        return 0


def _release(checker: Checker, state: State, facts: KfuncFacts) -> None:
    if not facts.flags & KfuncFlag.RELEASE:
        return
    held = [state.regs[reg] for reg in range(1, 6) if state.regs[reg].reference]
    if not held:
        checker.refuse(f"arg#0 of {facts.name} must be referenced", Errno.EINVAL)
    state.release(held[0].reference)


def _result(checker: Checker, state: State, facts: KfuncFacts, btf: Btf) -> Value | None:
    if not facts.proto.return_id:
        return None
    target = resolved(btf, facts.proto.return_id)
    if not isinstance(target, Pointer):
        return of_width(min(size_of(btf, facts.proto.return_id), 8))
    value = _pointer(btf, target)
    if facts.flags & KfuncFlag.RET_NULL:
        value = value._replace(nullable=True, id=checker.new_id())
    if facts.flags & KfuncFlag.ACQUIRE:
        value = value._replace(reference=checker.new_id())
        state.references += (Reference(value.reference, state.pc),)
    return value


def _pointer(btf: Btf, pointer: Pointer) -> Value:
    target = resolve(btf, pointer.type_id)
    if isinstance(btf[target], Composite):
        return Value(Kind.TRUSTED_BTF, btf=target)
    return Value(Kind.MEM, size=_pointed_size(btf, pointer))
