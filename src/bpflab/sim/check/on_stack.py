"""Objects of the kernel in a program's stack: dynptrs and open-coded iterators, known by what lies at their place."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.kfuncs import KfuncFlag
from bpflab.obj.btf_layout import resolve, size_of
from bpflab.obj.btf_types import Composite, Pointer
from bpflab.sim.check.memory import check_memory
from bpflab.sim.check.state import Reference, Spill
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import Value

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State
    from bpflab.sim.check.subject import KfuncFacts

DYNPTR_SIZE: Final = 16
ITERATES: Final = KfuncFlag.ITER_NEW | KfuncFlag.ITER_NEXT | KfuncFlag.ITER_DESTROY


class Behind(IntEnum):
    """What a dynptr stands for, as far as the check must know."""

    MEMORY = 0
    PACKET = 1


def make_dynptr(checker: Checker, state: State, reg: int, behind: Behind = Behind.MEMORY) -> None:
    """Note that a call makes a dynptr at a place on the stack."""
    value = state.regs[reg]
    if value.kind is Kind.ANY:
        return
    if value.kind is not Kind.STACK or value.varies:
        checker.refuse(f"arg#{reg - 1} expected pointer to stack or const struct bpf_dynptr", Errno.EINVAL)
    check_memory(checker, state, reg, value, DYNPTR_SIZE, write=True)
    state.frames[value.frame].spills[value.off] = Spill(DYNPTR_SIZE, Value(Kind.DYNPTR, off=behind))


def check_dynptr(checker: Checker, state: State, reg: int) -> Behind:
    """Refuse what is no dynptr that some call made; tell what it stands for."""
    value = state.regs[reg]
    if value.kind in {Kind.ANY, Kind.DYNPTR}:
        return Behind.MEMORY
    if value.kind is not Kind.STACK or value.varies:
        checker.refuse(f"arg#{reg - 1} expected pointer to stack or const struct bpf_dynptr", Errno.EINVAL)
    spill = state.frames[value.frame].spills.get(value.off)
    if spill is None or spill.value.kind is not Kind.DYNPTR:
        checker.refuse(f"Expected an initialized dynptr as arg #{reg - 1}", Errno.EINVAL)
    return Behind(spill.value.off)


def follow_iterator(checker: Checker, state: State, facts: KfuncFacts, btf: Btf) -> None:
    """Follow the part of an iterator's protocol that a kernel function stands for: new, next, destroy."""
    kind = _iterator_type(btf, facts)
    value = state.regs[1]
    if value.kind is Kind.ANY:
        return
    if value.kind is not Kind.STACK or value.varies:
        checker.refuse("arg#0 expected pointer to an iterator on stack", Errno.EINVAL)
    spills = state.frames[value.frame].spills
    spill = spills.get(value.off)
    there = spill is not None and spill.value.kind is Kind.ITER and spill.value.btf == kind
    name = btf.name(kind).removeprefix("bpf_")
    if facts.flags & KfuncFlag.ITER_NEW:
        if spill is not None and spill.value.kind is Kind.ITER:
            checker.refuse(f"expected uninitialized {name} as arg #0", Errno.EINVAL)
        _begin(checker, state, kind, size_of(btf, kind))
    elif spill is None or not there:
        checker.refuse(f"expected an initialized {name} as arg #0", Errno.EINVAL)
    elif facts.flags & KfuncFlag.ITER_DESTROY:
        state.release(spill.value.reference)
        del spills[value.off]


def _begin(checker: Checker, state: State, kind: int, size: int) -> None:
    value = state.regs[1]
    check_memory(checker, state, 1, value, size, write=True)
    made = Value(Kind.ITER, btf=kind, reference=checker.new_id())
    state.references += (Reference(made.reference, state.pc),)
    state.frames[value.frame].spills[value.off] = Spill(size, made)


def _iterator_type(btf: Btf, facts: KfuncFacts) -> int:
    pointer = btf[resolve(btf, facts.proto.parameters[0].type_id)]
    target = resolve(btf, pointer.type_id) if isinstance(pointer, Pointer) else 0
    return target if isinstance(btf[target], Composite) else 0
