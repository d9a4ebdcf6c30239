"""Where a type has the fields that belong to the kernel: a walk through BTF, as deep as the kernel's.

They are found by the names of their types (kernel/bpf/btf.c, btf_get_field_type).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.map_fields import FIELDS, NEED_LOCK, SPIN_LOCKS
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf import Btf

MAX_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class SpecialField:
    """A field that only the kernel writes: the name of its type, its offset and size in bytes."""

    name: str
    offset: int
    size: int


def special_fields(btf: Btf, type_id: int) -> tuple[SpecialField, ...]:
    """Find the special fields of a value type, in order of their offsets.

    The kernel takes no notice of any when they do not go together, and neither does this.
    """
    try:
        found = sorted(fields_inside(btf, type_id), key=lambda field: field.offset)
    except BtfError:
        return ()
    fields = tuple(field for field in found if not field.offset % FIELDS[field.name].alignment)
    return fields if _go_together(fields) else ()


def fields_inside(btf: Btf, type_id: int) -> Iterator[SpecialField]:
    """Walk a value type, through arrays and structures; BtfError for a type that is damaged."""
    yield from _inside(btf, resolve(btf, type_id), 0, MAX_DEPTH)


def _walk(btf: Btf, type_id: int, offset: int, depth: int) -> Iterator[SpecialField]:
    type_id = resolve(btf, type_id)
    match btf[type_id]:
        case t.Composite(name=name, size=size) if name in FIELDS:
            if size == FIELDS[name].size:
                yield SpecialField(name, offset, size)
        case t.Array(type_id=element, length=length) if depth:
            yield from _repeat(btf, element, offset, length, depth - 1)
        case t.Pointer(type_id=pointed) if isinstance(btf[pointed], t.TypeTag) and btf.name(pointed) in FIELDS:
            yield SpecialField(btf.name(pointed), offset, FIELDS[btf.name(pointed)].size)
        case _ if depth:
            yield from _inside(btf, type_id, offset, depth - 1)


def _inside(btf: Btf, type_id: int, offset: int, depth: int) -> Iterator[SpecialField]:
    """Walk the members of a struct or union, or the variables of a section."""
    match btf[type_id]:
        case t.Composite(members=members):
            for member in members:
                yield from _walk(btf, member.type_id, offset + member.bit_offset // 8, depth)
        case t.Datasec(variables=variables):
            for variable in variables:
                var = btf.get(variable.type_id, t.Var)
                yield from _walk(btf, var.type_id, offset + variable.offset, depth)


def _repeat(btf: Btf, element: int, offset: int, length: int, depth: int) -> Iterator[SpecialField]:
    found, size = tuple(_walk(btf, element, 0, depth)), size_of(btf, element)
    for start in range(offset, offset + length * size, size or 1) if found else ():
        yield from (SpecialField(each.name, start + each.offset, each.size) for each in found)


def _go_together(fields: tuple[SpecialField, ...]) -> bool:
    names = Counter(field.name for field in fields)
    twice = any(count > 1 and FIELDS[name].only_one for name, count in names.items())
    locks = sum(names[name] for name in SPIN_LOCKS)
    return not twice and locks <= 1 and (locks == 1 or NEED_LOCK.isdisjoint(names))
