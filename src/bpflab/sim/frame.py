"""An XDP frame: one page with head and tail room, and fragments behind it (include/net/xdp.h)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from bpflab.abi.run_rules import PAGE_SIZE, XDP_HEADROOM, XDP_TAILROOM
from bpflab.sim.memory import Region, RegionKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.sim.memory import Scope


class XdpFrame:
    """A packet in a page: `data_meta` <= `data` <= `data_end` are offsets into the page's bytes.

    Programs reach the bytes between `data_meta` and `data_end` directly, and those of `fragments` by helpers.
    """

    def __init__(self, scope: Scope, packet: bytes, meta: int = 0) -> None:
        room = PAGE_SIZE - (XDP_HEADROOM - meta) - XDP_TAILROOM
        linear, rest = packet[:room], packet[room:]
        self.fragments = [bytearray(rest[at : at + PAGE_SIZE]) for at in range(0, len(rest), PAGE_SIZE)]
        self.data_meta = XDP_HEADROOM - meta
        self.data = XDP_HEADROOM
        self.data_end = self.data_meta + len(linear)
        self.page = bytearray(PAGE_SIZE)
        self.page[self.data_meta : self.data_end] = linear
        self.region: Region = scope.add(RegionKind.PACKET, self.page)
        self.has_meta = True
        self.code = "<3Q" if scope.memory.order == "little" else ">3Q"
        self.context: Region | None = None
        self.ifindex = 1
        self.refresh()

    def refresh(self) -> None:
        """Let programs reach what lies between the pointers now, and see the pointers in their context."""
        self.region.low = self.data_meta if self.has_meta else self.data
        self.region.high = self.data_end
        if self.context is not None:
            pointers = (self.region.address + at for at in (self.data, self.data_end, self.data_meta))
            struct.pack_into(self.code, self.context.data, 0, *pointers)

    @property
    def length(self) -> int:
        """Bytes from `data` on, fragments and all."""
        return self.data_end - self.data + sum(map(len, self.fragments))

    @property
    def pieces(self) -> Sequence[memoryview]:
        """The packet's parts in order: the linear one, then the fragments."""
        return [memoryview(self.page)[self.data : self.data_end], *(memoryview(each) for each in self.fragments)]

    def content(self) -> bytes:
        """Return the packet from its metadata on, as a test run gives it back."""
        return bytes(self.page[self.data_meta : self.data_end]) + b"".join(self.fragments)

    def read(self, offset: int, size: int) -> bytes:
        """Copy bytes out of the whole packet; the caller has checked that they are there."""
        return b"".join(self.pieces)[offset : offset + size]

    def write(self, offset: int, content: bytes) -> None:
        """Copy bytes into the whole packet, over the borders of its parts; the caller has checked the range."""
        at = 0
        for piece in self.pieces:
            start, end = max(offset, at), min(offset + len(content), at + len(piece))
            if start < end:
                piece[start - at : end - at] = content[start - offset : end - offset]
            at += len(piece)
