"""Maps that the section .maps defines by their BTF: `struct { __uint(type, ...); ... } name SEC(".maps")`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.elf import RelocationType
from bpflab.abi.map_types import MapType
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.map_fields import MapFields, read_fields
from bpflab.obj.map_places import MapPlace, MapPlaces
from bpflab.obj.spec import MapSpec, Pinning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.obj.btf import Btf
    from bpflab.obj.elf import Elf, ElfRelocation, Symbol
    from bpflab.obj.functions import Functions

SECTION: Final = ".maps"
_REFERENCE_SIZE: Final = 4
"""Bytes of a value that names a map or program: its fd on the way in, its id on the way out."""
_POINTER_SIZE: Final = 8


def btf_maps(elf: Elf, btf: Btf | None, functions: Functions) -> tuple[MapPlace, ...]:
    """Read the maps of .maps, in the order of their places, with their initial values by name."""
    section = elf.by_name.get(SECTION)
    if section is None:
        return ()
    if btf is None:
        raise ObjectError("maps are defined in .maps, and the object has no BTF. Compile with -g.")
    pairs = [_place(btf, section.index, variable) for variable in _variables(btf)]
    values_at = {place.spec.name: at for place, at in pairs}
    places = MapPlaces(place for place, _ in pairs)
    for each in elf.relocations.get(section.index, ()):
        place = places.at(section.index, each.offset)
        if place is None:
            raise ObjectError(f"section .maps has a pointer at byte {each.offset}, where no map is.")
        index = _index(place, values_at[place.spec.name], each)
        place.spec.values[index] = _target(place.spec, each.symbol, places, functions)
    return tuple(place for place, _ in pairs)


def _variables(btf: Btf) -> Iterable[t.SectionVariable]:
    found = btf.find(SECTION, BtfKind.DATASEC)
    if found is None:
        raise ObjectError("maps are defined in .maps, and the BTF does not describe it. Compile with -g.")
    return btf.get(found, t.Datasec).variables


def _place(btf: Btf, section: int, variable: t.SectionVariable) -> tuple[MapPlace, int | None]:
    var = btf.get(variable.type_id, t.Var)
    fields = read_fields(btf, var.type_id, var.name)
    spec = _spec(btf, var.name, fields)
    return MapPlace(spec, section, variable.offset, variable.size), fields.values_at


def _spec(btf: Btf, name: str, fields: MapFields) -> MapSpec:
    kind = _map_type(name, fields.number("type"))
    spec = MapSpec(
        name=name,
        type=kind,
        key_size=fields.number("key_size"),
        value_size=fields.number("value_size"),
        max_entries=fields.number("max_entries"),
        flags=fields.number("map_flags"),
        numa_node=fields.number("numa_node"),
        map_extra=fields.number("map_extra"),
        pinning=_pinning(name, fields.number("pinning")),
        btf_key_type_id=fields.types.get("key", 0),
        btf_value_type_id=fields.types.get("value", 0),
    )
    return spec if fields.values_at is None else _with_values(btf, spec, fields)


def _map_type(name: str, number: int) -> MapType:
    try:
        kind = MapType(number)
    except ValueError:
        raise ObjectError(f"map {name!r} is of type {number}, which this library does not know.") from None
    if kind is MapType.UNSPEC:
        raise ObjectError(f"map {name!r} has no type; write __uint(type, BPF_MAP_TYPE_...).")
    return kind


def _pinning(name: str, number: int) -> Pinning:
    try:
        return Pinning(number)
    except ValueError:
        raise ObjectError(f"map {name!r} has pinning {number}; LIBBPF_PIN_NONE (0) and _BY_NAME (1) exist.") from None


def _with_values(btf: Btf, spec: MapSpec, fields: MapFields) -> MapSpec:
    """Take what `values` says: of what kind inner maps are, and that a value is a reference."""
    if spec.value_size not in {0, _REFERENCE_SIZE}:
        raise ObjectError(f"map {spec.name!r} holds maps or programs; its value_size is 4, not {spec.value_size}.")
    match spec.type:
        case MapType.ARRAY_OF_MAPS | MapType.HASH_OF_MAPS:
            name = f"{spec.name}.inner"
            inner = _spec(btf, name, _inner_fields(btf, fields.values_id, name))
            return replace(spec, value_size=_REFERENCE_SIZE, inner=inner)
        case MapType.PROG_ARRAY:
            return replace(spec, value_size=_REFERENCE_SIZE)
        case _:
            raise ObjectError(f"map {spec.name!r} of type {spec.type.name} cannot have __array(values, ...).")


def _inner_fields(btf: Btf, type_id: int, name: str) -> MapFields:
    fields = read_fields(btf, type_id, name)
    if fields.values_at is not None:
        raise ObjectError(f"map {name!r} is inside another and has values itself; maps nest once.")
    return fields


def _index(place: MapPlace, values_at: int | None, each: ElfRelocation) -> int:
    """Give the index of the initial value that a relocation fills."""
    index, rest = divmod(each.offset - place.offset - (values_at or 0), _POINTER_SIZE)
    if values_at is None or rest or index < 0 or each.type != RelocationType.ABS64:
        raise ObjectError(f"map {place.spec.name!r} has a pointer at byte {each.offset} that is no initial value.")
    return index


def _target(spec: MapSpec, symbol: Symbol, places: MapPlaces, functions: Functions) -> str:
    if spec.type is MapType.PROG_ARRAY and symbol.function and functions.holds(symbol.section):
        return functions.at(symbol.section, symbol.value).name
    place = places.at(symbol.section, symbol.value)
    if spec.inner is None or place is None:
        raise ObjectError(f"map {spec.name!r} starts with {symbol.name!r} in it, which is no map or program for it.")
    return place.spec.name
