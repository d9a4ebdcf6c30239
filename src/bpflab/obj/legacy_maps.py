"""Maps of the old section `maps`: a `struct bpf_map_def` of five numbers each, without BTF."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.map_types import MapType
from bpflab.errors import ObjectError
from bpflab.obj.map_places import MapPlace
from bpflab.obj.spec import MapSpec

if TYPE_CHECKING:
    from bpflab.obj.elf import Elf, Section, Symbol

SECTION: Final = "maps"
_KNOWN: Final = 20
"""Bytes of type, key_size, value_size, max_entries and map_flags."""
_LEAST: Final = 16


def legacy_maps(elf: Elf) -> tuple[MapPlace, ...]:
    """Read the maps of the section, in the order of their places; ObjectError where one is malformed."""
    section = elf.by_name.get(SECTION)
    if section is None:
        return ()
    mine = (symbol for symbol in elf.symbols_in.get(section.index, ()) if symbol.name not in {"", SECTION})
    symbols = sorted(mine, key=lambda symbol: symbol.value)
    if not symbols or len(section.data) % len(symbols):
        raise ObjectError(f"section 'maps' has {len(section.data)} bytes for {len(symbols)} maps of one size.")
    size = len(section.data) // len(symbols)
    return tuple(_place(elf, section, symbol, size) for symbol in symbols)


def _place(elf: Elf, section: Section, symbol: Symbol, size: int) -> MapPlace:
    raw = section.data[symbol.value : symbol.value + size]
    if size < _LEAST or len(raw) != size or symbol.value % size:
        raise ObjectError(f"map {symbol.name!r} in 'maps' takes {len(raw)} bytes; expected {size}, 16 at least.")
    if any(raw[_KNOWN:]):
        raise ObjectError(
            f"map {symbol.name!r} in section 'maps' sets fields past map_flags, whose meaning differs between "
            'loaders. Define it with BTF: struct { __uint(type, ...); ... } name SEC(".maps").'
        )
    sign = "<" if elf.byteorder == "little" else ">"
    kind, key, value, entries, flags = struct.unpack(f"{sign}5I", raw[:_KNOWN].ljust(_KNOWN, b"\0"))
    try:
        spec = MapSpec(symbol.name, MapType(kind), key, value, entries, flags)
    except ValueError:
        raise ObjectError(f"map {symbol.name!r} is of type {kind}, which this library does not know.") from None
    return MapPlace(spec, section.index, symbol.value, size)
