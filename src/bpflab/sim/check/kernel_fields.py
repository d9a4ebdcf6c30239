"""Fields of a map's value that are the kernel's: what touches them is refused, but for pointers to objects.

From check_map_access and check_map_kptr_access in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import CLASS_MASK, InsnClass
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import Value, of_width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.special_fields import SpecialField
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.extent import Access
    from bpflab.sim.check.state import State
    from bpflab.sim.check.subject import MapFacts

POINTER: Final = 8
UNTRUSTED: Final = "kptr_untrusted"
SAID: Final = {"kptr": "kptr", UNTRUSTED: "kptr", "percpu_kptr": "percpu_kptr", "uptr": "uptr"}
"""Fields that are pointers, as the kernel's log names them."""
_TYPED: Final = frozenset({Kind.BTF, Kind.TRUSTED_BTF, Kind.ANY})


def refuse_helper(checker: Checker, pointer: Value, facts: MapFacts, wanted: Access) -> None:
    """Refuse a helper memory in which a field of the kernel's lies."""
    for field in _touched(pointer, facts, wanted):
        if field.name in SAID:
            checker.refuse(f"{SAID[field.name]} cannot be accessed indirectly by helper")
        checker.refuse(f"{field.name} cannot be accessed directly by load/store")


def access_field(checker: Checker, state: State, pointer: Value, facts: MapFacts, wanted: Access) -> Value | None:
    """Check a load or store for the kernel's fields; give what a load of a pointer yields, None for any other."""
    found = None
    for field in _touched(pointer, facts, wanted):
        if field.name not in SAID:
            checker.refuse(f"{field.name} cannot be accessed directly by load/store")
        _check_place(checker, pointer, field, wanted)
        found = field
    return _pointer(checker, state, facts, found, wanted) if found is not None else None


def check_field(checker: Checker, value: Value, name: str, reg: int) -> None:
    """Check that a field which a kernel function takes is where the pointer points to in a map's value."""
    if value.map is None or value.vague:
        return
    if value.varies:
        checker.refuse(f"R{reg} doesn't have constant offset. {name} has to be at the constant offset", Errno.EINVAL)
    if (name, value.off) not in {(field.name, field.offset) for field in value.map.fields}:
        checker.refuse(f"{name} not found at offset={value.off}", Errno.EINVAL)


def _touched(pointer: Value, facts: MapFacts, wanted: Access) -> Iterator[SpecialField]:
    """Yield the fields of which a byte may be accessed; nothing where the kernel may know better bounds."""
    off = pointer.off + wanted.off
    for field in () if pointer.vague else facts.fields:
        if off + pointer.low < field.offset + field.size and field.offset < off + pointer.high + wanted.size:
            yield field


def _check_place(checker: Checker, pointer: Value, field: SpecialField, wanted: Access) -> None:
    """Refuse what is not the whole of a pointer."""
    said, off = SAID[field.name], pointer.off + wanted.off
    if pointer.varies:
        checker.refuse(f"{said} access cannot have variable offset")
    if off != field.offset:
        checker.refuse(f"{said} access misaligned expected={field.offset} off={off}")
    if wanted.size != POINTER:
        checker.refuse(f"{said} access size must be BPF_DW")


def _pointer(checker: Checker, state: State, facts: MapFacts, field: SpecialField, wanted: Access) -> Value:
    if wanted.strict:
        checker.refuse("kptr in map can only be accessed using BPF_MEM instruction mode")
    target = dict(facts.pointers).get(field.offset, 0)
    if wanted.stored is not None:
        _check_stored(checker, state, field, wanted.stored, target)
    if field.name == "uptr":
        return of_width(POINTER)
    if field.offset in facts.per_cpu:
        return Value(Kind.PERCPU, nullable=True, id=checker.new_id(), btf=target)
    return Value(Kind.BTF if target < 0 else Kind.TRUSTED_BTF, nullable=True, id=checker.new_id(), btf=target)


def _check_stored(checker: Checker, state: State, field: SpecialField, stored: Value, target: int) -> None:
    """Only a pointer that owns nothing is stored, and only one of its type, or null."""
    if field.name == "uptr":
        checker.refuse("store to uptr disallowed")
    if field.name != UNTRUSTED:
        checker.refuse("store to referenced kptr disallowed")
    if stored.constant == 0 or (stored.kind in _TYPED and stored.btf in {0, target}):
        return
    insn = checker.subject.insns[state.pc]
    if insn.opcode & CLASS_MASK == InsnClass.ST:
        checker.refuse(f"BPF_ST imm must be 0 when storing to kptr at off={field.offset}")
    name = _name(checker, target)
    expected = f"expected=ptr_{name} or untrusted_ptr_{name}"
    given = f"{stored.type_name}{_name(checker, stored.btf) if stored.btf else ''}"
    checker.refuse(f"invalid kptr access, R{insn.src} type={given} {expected}")


def _name(checker: Checker, type_id: int) -> str:
    types = checker.subject.types_of(type_id)
    return types.name(abs(type_id)) if types is not None and type_id else ""
