"""Variables in an arena: those of the section `.addr_space.1`, where clang puts what is in address space 1."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final

from bpflab.abi.map_types import MapType
from bpflab.errors import ObjectError
from bpflab.obj.data_maps import variables_of
from bpflab.obj.map_places import MapPlace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.obj.btf import Btf
    from bpflab.obj.elf import Elf

SECTION: Final = ".addr_space.1"


def arena_variables(elf: Elf, btf: Btf | None, places: Iterable[MapPlace]) -> tuple[MapPlace, ...]:
    """Put the variables at the start of the object's arena; ObjectError where it has none, several, or a small one."""
    section = elf.by_name.get(SECTION)
    if section is None or not section.size:
        return ()
    arenas = [place.spec for place in places if place.spec.type is MapType.ARENA]
    if len(arenas) != 1:
        raise ObjectError(f"it has variables in an arena, and {len(arenas)} maps of type ARENA; there has to be one.")
    arena = arenas[0]
    if section.size > arena.max_entries * mmap.PAGESIZE:
        raise ObjectError(
            f"the variables of arena {arena.name!r} take {section.size} bytes; it has {arena.max_entries} pages."
        )
    arena.arena = bytearray(section.data) if section.data else bytearray(section.size)
    arena.variables = variables_of(elf, section, btf)
    return (MapPlace(arena, section.index, 0, section.size, arena=True),)
