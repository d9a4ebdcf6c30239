"""Pointers to kernel objects in map values: where they are, and to which type they point (btf_find_kptr)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.obj.btf_layout import resolve, resolved, size_of
from bpflab.obj.btf_types import Array, Composite, Datasec, Pointer, Var

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.maps.base import SimMap

PER_CPU: Final = "percpu_kptr"
TAGS: Final = frozenset({"kptr", "kptr_untrusted", PER_CPU})


def kernel_pointers(target: SimMap, kernel: Btf | None) -> tuple[tuple[int, int], ...]:
    """Return offset and type of each pointer in a map's value; a type of the program's own is below 0."""
    btf = target.btf.types if target.btf is not None else None
    if btf is None:
        return ()
    value = target.spec.btf_value_type_id
    places = [field.offset for field in target.fields if field.name in TAGS]
    return tuple((place, _known(btf, kernel, _pointee(btf, value, place))) for place in places)


def _known(own: Btf, kernel: Btf | None, type_id: int) -> int:
    found = kernel.find(own.name(type_id), BtfKind.STRUCT) if kernel is not None and type_id else None
    return found or -type_id


def _pointee(btf: Btf, type_id: int, offset: int) -> int:
    """Return the struct that the pointer at an offset of a type points to, 0 if there is none."""
    type_id = resolve(btf, type_id)
    match btf[type_id]:
        case Pointer(type_id=pointed):
            return resolve(btf, pointed) if not offset else 0
        case Array(type_id=element):
            return _pointee(btf, element, offset % size_of(btf, element))
        case Datasec(variables=variables):
            for each in variables:
                if each.offset <= offset < each.offset + each.size:
                    return _pointee(btf, btf.get(each.type_id, Var).type_id, offset - each.offset)
        case Composite(members=members):
            for member in members:
                start = member.bit_offset // 8
                if start <= offset < start + _size(btf, member.type_id):
                    return _pointee(btf, member.type_id, offset - start)
    return 0


def _size(btf: Btf, type_id: int) -> int:
    found = resolved(btf, type_id)
    return 8 if isinstance(found, Pointer) else size_of(btf, type_id)
