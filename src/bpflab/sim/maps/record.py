"""The fields of a map's value that belong to the kernel: locks, timers, pointers to kernel objects.

Copies of a value leave them out: user space reads them as zero and cannot write them. Found in the
value's BTF by the names of their types (kernel/bpf/btf.c, btf_get_field_type).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpflab.obj.btf import Btf

SIZES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "bpf_spin_lock": 4,
        "bpf_res_spin_lock": 8,
        "bpf_timer": 16,
        "bpf_wq": 16,
        "bpf_task_work": 8,
        "bpf_list_head": 16,
        "bpf_list_node": 24,
        "bpf_rb_root": 16,
        "bpf_rb_node": 32,
        "bpf_refcount": 4,
    }
)
"""Structs of linux/bpf.h that only the kernel writes, by name."""

KPTR_TAGS: Final = frozenset({"kptr_untrusted", "kptr", "percpu_kptr", "uptr"})
LOCKS: Final = frozenset({"bpf_spin_lock"})
MAX_DEPTH: Final = 4
POINTER: Final = 8


@dataclass(frozen=True, slots=True)
class SpecialField:
    """A field that only the kernel writes: the name of its type, its offset and size in bytes."""

    name: str
    offset: int
    size: int


def special_fields(btf: Btf, type_id: int) -> tuple[SpecialField, ...]:
    """Find the special fields of a value type, in order of their offsets; none if the BTF cannot be followed."""
    try:
        return tuple(sorted(_walk(btf, type_id, 0, MAX_DEPTH), key=lambda found: found.offset))
    except BtfError:
        return ()


def _walk(btf: Btf, type_id: int, offset: int, depth: int) -> Iterator[SpecialField]:
    type_id = resolve(btf, type_id)
    match btf[type_id]:
        case t.Composite(name=name) if name in SIZES:
            yield SpecialField(name, offset, SIZES[name])
        case t.Composite(members=members) if depth:
            for member in members:
                yield from _walk(btf, member.type_id, offset + member.bit_offset // 8, depth - 1)
        case t.Array(type_id=element, length=length) if depth:
            size = size_of(btf, element)
            found = tuple(_walk(btf, element, 0, depth - 1))
            for index in range(length if found else 0):
                yield from (SpecialField(each.name, offset + index * size + each.offset, each.size) for each in found)
        case t.Pointer(type_id=pointed) if isinstance(btf[pointed], t.TypeTag) and btf.name(pointed) in KPTR_TAGS:
            yield SpecialField(btf.name(pointed), offset, POINTER)
        case t.Datasec(variables=variables) if depth:
            for variable in variables:
                var = btf.get(variable.type_id, t.Var)
                yield from _walk(btf, var.type_id, offset + variable.offset, depth - 1)


def without(fields: tuple[SpecialField, ...], value: bytes) -> bytes:
    """Return a value with its special fields zero: what user space reads."""
    copy = bytearray(value)
    for field in fields:
        copy[field.offset : field.offset + field.size] = bytes(field.size)
    return bytes(copy)


def store(fields: tuple[SpecialField, ...], place: bytearray | memoryview, value: bytes) -> None:
    """Copy a value to its place, all but its special fields."""
    start = 0
    for field in fields:
        place[start : field.offset] = value[start : field.offset]
        start = field.offset + field.size
    place[start:] = value[start:]
