"""Global variables as maps: each of .data, .rodata, .bss and their `.name` kin is an array of one value."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind, VarLinkage
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import size_of
from bpflab.obj.map_places import MapPlace
from bpflab.obj.spec import MapSpec, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf import Btf
    from bpflab.obj.elf import Elf, Section

_STEMS: Final = (".data", ".rodata", ".bss")
_NAME_LIMIT: Final = 15
_SHORTEST: Final = 7
"""libbpf leaves room for a section name of this length (".rodata") when it cuts the object's name."""


def data_maps(elf: Elf, btf: Btf | None, object_name: str) -> tuple[MapPlace, ...]:
    """Make a map of each section of variables, in the order of the file."""
    return tuple(
        MapPlace(_spec(elf, section, btf, object_name), section.index, 0, section.size)
        for section in elf.sections.values()
        if section.size and _stem(section)
    )


def _stem(section: Section) -> str | None:
    stem = next((stem for stem in _STEMS if section.name == stem or section.name.startswith(f"{stem}.")), None)
    return stem if stem is None or section.nobits == (stem == ".bss") else None


def _spec(elf: Elf, section: Section, btf: Btf | None, object_name: str) -> MapSpec:
    type_id = btf.find(section.name, BtfKind.DATASEC) if btf else None
    read_only = _stem(section) == ".rodata"
    flags = MapFlag.RDONLY_PROG if read_only else MapFlag(0)
    if btf is not None and type_id is not None and _has_global(btf, type_id):
        flags |= MapFlag.MMAPABLE
    return MapSpec(
        name=section.name,
        type=MapType.ARRAY,
        key_size=4,
        value_size=section.size,
        max_entries=1,
        flags=flags,
        btf_value_type_id=type_id or 0,
        data=bytearray(section.size) if section.nobits else bytearray(section.data),
        frozen=read_only,
        variables=variables_of(elf, section, btf),
        kernel_name=kernel_name(section.name, object_name),
    )


def _has_global(btf: Btf, type_id: int) -> bool:
    """Say whether libbpf would map the section into memory: it does if a variable is not static."""
    variables = btf.get(type_id, t.Datasec).variables
    return any(btf.get(each.type_id, t.Var).linkage != VarLinkage.STATIC for each in variables)


def variables_of(elf: Elf, section: Section, btf: Btf | None) -> dict[str, Variable]:
    """List the variables of a section by name: by BTF, or where that has none by the symbols."""
    type_id = btf.find(section.name, BtfKind.DATASEC) if btf else None
    return dict(_typed(btf, type_id) if btf and type_id else _untyped(elf, section))


def _typed(btf: Btf, type_id: int) -> Iterator[tuple[str, Variable]]:
    for each in btf.get(type_id, t.Datasec).variables:
        var = btf.get(each.type_id, t.Var)
        yield var.name, Variable(var.name, each.offset, each.size or size_of(btf, var.type_id), var.type_id)


def _untyped(elf: Elf, section: Section) -> Iterator[tuple[str, Variable]]:
    for symbol in elf.symbols_in.get(section.index, ()):
        if symbol.size:
            yield symbol.name, Variable(symbol.name, symbol.value, symbol.size)


def kernel_name(section: str, object_name: str) -> str:
    """Name a data map as libbpf does: the start of the object's name and the section, 15 characters in all."""
    stem = PurePath(object_name).name.split(".")[0]
    custom = "." in section[1:]
    room = 0 if custom else _NAME_LIMIT - max(_SHORTEST, len(section))
    name = (stem[: max(room, 0)] + section)[:_NAME_LIMIT]
    return "".join(each if each.isascii() and (each.isalnum() or each in "_.") else "_" for each in name)
