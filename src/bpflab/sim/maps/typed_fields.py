"""Where a type has the fields that belong to the kernel: a walk through BTF, as deep as the kernel's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.map_fields import FIELDS
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve, size_of
from bpflab.sim.maps.record import SpecialField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf import Btf

MAX_DEPTH: Final = 4


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
