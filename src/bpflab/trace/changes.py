"""Writes to memory in words: which packet field or part of a map's entry, and what it was before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bpflab.abi.insn import STACK_SIZE
from bpflab.sim.maps.base import SimMap
from bpflab.sim.memory import OFFSET_MASK, RegionKind
from bpflab.trace.layout import bytes_text, typed_text
from bpflab.trace.maps import MapWords, types_of
from bpflab.trace.model import Happening, MapChange, MemoryChange
from bpflab.trace.packet import written
from bpflab.trace.values import PacketBits

if TYPE_CHECKING:
    from bpflab.sim.engine import WriteRecord
    from bpflab.trace.packet import PacketNames
    from bpflab.trace.packet_view import PacketView
    from bpflab.trace.pointers import Pointers


def packet_text(data: bytes, names: PacketNames, bits: PacketBits) -> str:
    """Write bytes of the packet: as their fields read, several joined by `/`, or in hexadecimal."""
    number = int.from_bytes(data, "big")
    parts = names.parts(bits.start, bits.width)
    if not parts:
        return bytes_text(data, "big") if len(data) == 1 else data.hex(" ")
    stop = bits.start + bits.width
    return "/".join(
        written(each.form, number >> stop - each.start - each.width & ((1 << each.width) - 1), each.width)
        for each in parts
    )


def merged(writes: list[WriteRecord]) -> list[WriteRecord]:
    """Join writes that lie side by side, as a copy makes them; none of them where two overlap."""
    found: list[WriteRecord] = []
    for write in sorted(writes, key=lambda each: each.address):
        before = found[-1] if found else None
        if before is not None and write.address < before.address + len(before.data):
            return writes
        if before is not None and write.address == before.address + len(before.data):
            found[-1] = replace(before, data=before.data + write.data, before=before.before + write.before)
        else:
            found.append(write)
    return found


class ChangeWords:
    """Writes the changes of one run's memory."""

    def __init__(self, pointers: Pointers) -> None:
        self._pointers = pointers
        self._maps: MapWords = pointers.maps
        self._packet: PacketView = pointers.packet

    def told(self, pc: int, write: WriteRecord, helper: str = "") -> Happening | None:
        """Put a write into words; None for one that nobody wants to hear of: a program's own use of its stack."""
        region = self._pointers.region(write.address)
        if region is None or (region.kind == RegionKind.STACK and not helper):
            return None
        if region.kind == RegionKind.MAP_VALUE and isinstance(region.owner, SimMap):
            return self._map_change(pc, write)
        if region.kind == RegionKind.STACK:
            place = f"stack fp{(write.address & OFFSET_MASK) - STACK_SIZE:+d}"
            return MemoryChange(
                pc, place, bytes_text(write.before, self._order), bytes_text(write.data, self._order), helper
            )
        return self._memory_change(pc, write, helper)

    def _map_change(self, pc: int, write: WriteRecord) -> MapChange | None:
        region = self._pointers.region(write.address)
        place = self._maps.place(region, write.address, len(write.data)) if region else None
        if place is None:
            return None
        old, new = (
            typed_text(types_of(place.map), place.type_id, data, self._order) for data in (write.before, write.data)
        )
        return MapChange(pc, place.map.name, place.text, old, new)

    def _memory_change(self, pc: int, write: WriteRecord, helper: str) -> MemoryChange:
        offset, size = self._packet.offset(write.address), len(write.data)
        if offset is None or offset < 0:
            old, new = (bytes_text(data, self._order) for data in (write.before, write.data))
            return MemoryChange(pc, self._pointers.place(write.address, size), old, new, helper)
        names, bits = self._packet.names, PacketBits(offset * 8, size * 8)
        old, new = (packet_text(data, names, bits) for data in (write.before, write.data))
        return MemoryChange(pc, names.name(bits.start, bits.width), old, new, helper)

    @property
    def _order(self) -> str:
        return self._pointers.memory.order
