"""Accesses through pointers to the kernel's types (btf_struct_walk in kernel/bpf/btf.c, check_ptr_to_btf_access)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.writable_fields import WRITABLE
from bpflab.obj.btf_layout import fields, resolve, resolved, size_of
from bpflab.obj.btf_types import Array, Composite, Pointer
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import ANY, Value, of_width

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_types import Member
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.extent import Access
    from bpflab.sim.check.state import State

POINTER: Final = 8


class Beyond(Exception):  # noqa: N818 - turned into the verifier's sentence by whoever asked
    """Bytes that lie in no field."""


def access_typed(checker: Checker, state: State, pointer: Value, wanted: Access) -> Value:
    """Check an access to a typed object, and give what a load yields: a number, or a pointer with its own type.

    A load becomes one that reads 0 where nothing is, as the kernel's PROBE_MEM does. Objects of the program's
    own types (`bpf_obj_new`) may be written, the kernel's may not.
    """
    btf = checker.subject.types_of(pointer.btf)
    if btf is None or not pointer.btf:
        return of_width(wanted.size)
    if wanted.write and pointer.btf > 0 and not _may_write(checker, btf, pointer, wanted):
        checker.refuse("only read is supported")
    if pointer.btf > 0 and not wanted.write:
        checker.probes.add(state.pc)
    if pointer.varies:
        return of_width(wanted.size)
    off = pointer.off + wanted.off
    try:
        target = pointer_target(btf, abs(pointer.btf), off, wanted.size)
    except Beyond:
        name = btf.name(abs(pointer.btf))
        checker.refuse(f"access beyond struct {name} at off {off} size {wanted.size}")
    if not target:
        return of_width(wanted.size)
    if pointer.btf < 0:
        return of_width(wanted.size) if not wanted.write else Value(Kind.ANY)
    return Value(Kind.BTF, btf=target)


def access_per_cpu(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    """Refuse an access to what each CPU has its own of: a helper gives the copy of one."""
    btf = checker.subject.types_of(pointer.btf)
    name = btf.name(abs(pointer.btf)) if btf is not None else ""
    checker.refuse(f"R{wanted.reg} is ptr_{name} access percpu memory: off={pointer.off + wanted.off}")


def one_of_all(checker: Checker, type_id: int) -> Value:
    """Give the copy that one CPU has of what each has: an object, or memory for what is no structure."""
    btf = checker.subject.types_of(type_id)
    if btf is None or not type_id:
        return ANY
    if isinstance(resolved(btf, abs(type_id)), Composite):
        return Value(Kind.BTF, btf=type_id)
    return Value(Kind.RDONLY_MEM, size=size_of(btf, type_id))


def _may_write(checker: Checker, btf: Btf, pointer: Value, wanted: Access) -> bool:
    """Whether this program may write these bytes: all of them, or a field that its type may change."""
    if checker.subject.writable_types:
        return True
    written = range(pointer.off + wanted.off, pointer.off + wanted.off + wanted.size)
    name = btf.name(pointer.btf)
    allowed = {field for (owner, field), types in WRITABLE.items() if owner == name and checker.subject.type in types}
    return any(_covers(btf, pointer.btf, field, written) for field in allowed)


def _covers(btf: Btf, type_id: int, name: str, written: range) -> bool:
    for each in fields(btf, type_id):
        if each.name == name:
            return each.offset <= written.start and written.stop <= each.offset + each.bit_size // 8
        inner = resolved(btf, each.type_id)
        if isinstance(inner, Composite) and not each.offset and _covers(btf, each.type_id, name, written):
            return True
    return False


@lru_cache(maxsize=4096)
def pointer_target(btf: Btf, type_id: int, offset: int, size: int) -> int:
    """Return the struct that a load of these bytes of a struct points to; 0 for anything else. Raises `Beyond`."""
    found = resolved(btf, type_id)
    if isinstance(found, Array) and found.length:
        return pointer_target(btf, found.type_id, offset % size_of(btf, found.type_id), size)
    if isinstance(found, Pointer):
        return _struct_of(btf, found.type_id) if (offset, size) == (0, POINTER) else 0
    if not isinstance(found, Composite):
        return 0
    return _in_composite(btf, found, offset, size)


def _in_composite(btf: Btf, found: Composite, offset: int, size: int) -> int:
    if offset < 0:
        raise Beyond
    for member in found.members:
        start, width = member.bit_offset // 8, _width(btf, member)
        if start <= offset < start + width:
            return pointer_target(btf, member.type_id, offset - start, size)
    return _after_the_last(btf, found, offset, size)


def _after_the_last(btf: Btf, found: Composite, offset: int, size: int) -> int:
    """Allow an array without length at the end, which goes on past the struct, and holes."""
    last = found.members[-1] if found.members else None
    flexible = resolved(btf, last.type_id) if last is not None else None
    if isinstance(flexible, Array) and not flexible.length and last is not None and offset >= last.bit_offset // 8:
        element = size_of(btf, flexible.type_id)
        return pointer_target(btf, flexible.type_id, (offset - last.bit_offset // 8) % element, size)
    if offset + size > found.size:
        raise Beyond
    return 0


def _width(btf: Btf, member: Member) -> int:
    if member.bit_size:
        return (member.bit_offset % 8 + member.bit_size + 7) // 8
    return size_of(btf, member.type_id)


def _struct_of(btf: Btf, type_id: int) -> int:
    """Return the id of the struct or union that a type stands for, 0 for anything else."""
    target = resolve(btf, type_id)
    return target if isinstance(btf[target], Composite) else 0
