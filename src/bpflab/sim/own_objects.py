"""Objects that programs allocate: of their own types, with as many holders as there are references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.obj.btf_layout import size_of
from bpflab.obj.special_fields import fields_inside
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.linked_list import List
from bpflab.sim.memory import RegionKind
from bpflab.sim.rbtree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf import Btf
    from bpflab.sim.memory import Memory
    from bpflab.sim.region import Region

MAX_BYTES: Final = 4096
"""bpf_mem_alloc has no larger pieces."""


@dataclass(slots=True)
class OwnObject:
    """What a region of memory holds: a type of a program's BTF, and how many references there are to it.

    With `cpus` there are so many of it, one behind the other.
    """

    btf: Btf
    type_id: int
    size: int
    holders: int = 1
    cpus: int = 0


def allocate(memory: Memory, btf: Btf, type_id: int, *, cpus: int = 0) -> int:
    """Lay out an object of zeros, one for each CPU if there are `cpus`, and return its address."""
    size = size_of(btf, type_id)
    owner = OwnObject(btf, type_id, size, cpus=cpus)
    data = bytearray(size * max(cpus, 1))
    return memory.add(RegionKind.KERNEL_OBJECT, data, name=btf.name(type_id), owner=owner).address


def find(memory: Memory, address: int) -> tuple[Region, OwnObject]:
    """Return the object that an address is in; a fault where there is none, or none any more."""
    region = memory.find(address)
    if region is None or not isinstance(region.owner, OwnObject):
        raise (
            memory.fault(address, 8)
            if region is None
            else Fault(FaultKind.HELPER_ARGUMENT, f"there is no object of a program's own type at {address:#x}")
        )
    return region, region.owner


def hold(memory: Memory, address: int) -> None:
    """Count one more reference."""
    find(memory, address)[1].holders += 1


def drop(memory: Memory, address: int) -> None:
    """Count one reference less; with the last one the object goes, and what its lists and trees hold."""
    region, found = find(memory, address)
    found.holders -= 1
    if not found.holders:
        for inside in list(_inside(memory, region.address, found)):
            drop(memory, inside)
        memory.remove(region)


def _inside(memory: Memory, address: int, found: OwnObject) -> Iterator[int]:
    for field in fields_inside(found.btf, found.type_id):
        place = address + field.offset
        if field.name == "bpf_list_head":
            yield from List(memory, place)
        elif field.name == "bpf_rb_root":
            yield from Tree(memory, place)
