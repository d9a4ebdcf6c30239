"""Addresses in words: `packet+14`, `fp-8`, `ctx`, `&blocked_ports[23]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout_of
from bpflab.abi.insn import STACK_SIZE
from bpflab.sim.maps.base import SimMap
from bpflab.sim.memory import OFFSET_MASK, RegionKind

if TYPE_CHECKING:
    from bpflab.sim.memory import Memory, Region
    from bpflab.sim.programs import SimProgram
    from bpflab.trace.maps import MapWords
    from bpflab.trace.packet_view import PacketView


FAR: Final = 4096
"""How far behind a region an address may be and still be taken for one: what is farther is a number by chance."""


class Pointers:
    """Says what an address is, in the memory of one run."""

    def __init__(self, memory: Memory, packet: PacketView, maps: MapWords) -> None:
        self.memory = memory
        self.packet = packet
        self.maps = maps

    def region(self, number: int | None) -> Region | None:
        """Return the region that a number is an address in; None for a plain number."""
        found = None if number is None or number <= OFFSET_MASK else self.memory.find(number)
        if found is None or number is None:
            return None
        return found if (number & OFFSET_MASK) <= len(found.data) + FAR else None

    def text(self, number: int) -> str:
        """Say what an address is; an empty text for a plain number."""
        region = self.region(number)
        return "" if region is None else self._text(region, number, number & OFFSET_MASK)

    def _text(self, region: Region, number: int, offset: int) -> str:
        match region.kind:
            case RegionKind.PACKET if (at := self.packet.offset(number)) is not None:
                return f"packet{at:+d}" + (" (its end)" if at == self.packet.length else "")
            case RegionKind.STACK:
                return f"fp{_plus(offset - STACK_SIZE)}"
            case RegionKind.CONTEXT:
                return f"ctx{_plus(offset)}"
            case RegionKind.MAP if isinstance(region.owner, SimMap):
                return f"map {region.owner.name}"
            case RegionKind.MAP_VALUE:
                return f"&{self.place(number, 0).partition(' (CPU')[0]}"
            case _:
                return f"{region.title}{_plus(offset)}"

    def place(self, address: int, size: int) -> str:
        """Name `size` bytes of memory at an address, as they are told of: a packet field, a part of a map's entry."""
        region = self.region(address)
        if region is None:
            return ""
        at = self.packet.offset(address)
        if region.kind == RegionKind.PACKET and at is not None:
            return self.packet.names.name(at * 8, max(size, 1) * 8) if at >= 0 else f"packet{at}"
        if region.kind == RegionKind.MAP_VALUE:
            found = self.maps.place(region, address, size or _whole(region, address))
            return found.text if found else region.title
        return self.text(address)


def context_field(program: SimProgram, offset: int) -> str:
    """Name the member of a program's context at an offset, such as `ctx->data_end`."""
    structure = layout_of(program.type)
    member = structure.at(offset) if structure else None
    if member is None:
        return f"ctx+{offset}"
    index = f"[{(offset - member.offset) // member.size}]" if member.count else ""
    return f"ctx->{member.name}{index}"


def _whole(region: Region, address: int) -> int:
    """How many bytes a pointer without a size is about: the value from there on."""
    return max(len(region.data) - (address & OFFSET_MASK), 1)


def _plus(offset: int) -> str:
    return f"{offset:+d}" if offset else ""
