"""A socket buffer: a packet with head room, and the numbers that the kernel keeps beside it (struct sk_buff)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from bpflab.abi.ethernet import LEAST_ETHERTYPE, EtherType, PacketType
from bpflab.abi.run_rules import ETH_HLEN
from bpflab.sim.memory import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.memory import Region, Scope
    from bpflab.sim.skb_context import SkbContext
    from bpflab.sim.tunnel import Tunnel

NET_SKB_PAD: Final = 64
"""Head room of a buffer that a test run makes, and the unit in which it grows (linux/skbuff.h)."""
TAILROOM: Final = 320
MAX_LENGTH: Final = 16064
"""SKB_MAX_ALLOC: four pages less the shared info; helpers grow no packet beyond it."""
MAX_BUFFER: Final = 1 << 22
"""The largest block of memory that a buffer can be (KMALLOC_MAX_SIZE); only packets of several segments get near."""
NOT_SET: Final = 0xFFFF
"""A header's offset that nobody set. Offsets are 16 bits."""


class Summed(IntEnum):
    """What is known of a packet's checksums (CHECKSUM_* of linux/skbuff.h)."""

    NONE = 0
    UNNECESSARY = 1
    COMPLETE = 2


class Skb:
    """A packet in one linear buffer: `buffer[data:tail]`, with the headers as offsets into it.

    `nonlinear` bytes at its end count as paged: programs reach them directly only after skb_pull_data. Numbers that
    programs read and write directly are in `context`; those that helpers alone know are here. `summed` and `csum` are
    what a device would have said of the checksum: `csum` is the sum of all from the network header on if `summed`
    is COMPLETE.
    """

    def __init__(self, scope: Scope, packet: bytes, *, with_mac: bool) -> None:
        self.scope = scope
        self.order = scope.memory.order
        self.buffer = bytearray(NET_SKB_PAD) + packet + bytes(TAILROOM)
        self.mac_header = NET_SKB_PAD
        self.network_header = NET_SKB_PAD + ETH_HLEN
        self.transport_header = NOT_SET
        self.mac_length = 0
        self.data = self.mac_header if with_mac else self.network_header
        self.tail = NET_SKB_PAD + len(packet)
        self.with_mac = with_mac
        self.nonlinear = 0
        self.meta_length = 0
        self.summed = Summed.NONE
        self.csum = 0
        self.csum_level = 0
        self.dodgy = False
        self.hash_is_set = False
        self.encapsulation = False
        self.tunnel: Tunnel | None = None
        self.context: SkbContext
        self.region: Region = scope.add(RegionKind.PACKET, self.buffer, owner=self)

    @property
    def length(self) -> int:
        """Bytes from `data` to the end of the packet."""
        return self.tail - self.data

    @property
    def linear_length(self) -> int:
        """Bytes that are not paged."""
        return self.length - self.nonlinear

    @property
    def content(self) -> bytes:
        """The packet from `data` on."""
        return bytes(self.buffer[self.data : self.tail])

    @property
    def protocol(self) -> int:
        """The protocol that the packet counts as, in host byte order."""
        return self.context.network("protocol")

    @protocol.setter
    def protocol(self, value: int) -> None:
        self.context.set_network("protocol", value)

    @property
    def is_gso(self) -> bool:
        """Whether the packet stands for several segments. A test run gives it no type, so it never is TCP's."""
        return bool(self.context["gso_size"])

    @property
    def network_offset(self) -> int:
        """Where the network header is, relative to `data`."""
        return self.network_header - self.data

    @property
    def mac_header_length(self) -> int:
        """Bytes from the MAC header to the network header."""
        return self.network_header - self.mac_header

    def read(self, offset: int, size: int) -> bytes | None:
        """Copy bytes at an offset from `data`; None when they are not all in the packet."""
        if offset < 0 or size < 0 or offset + size > self.length:
            return None
        start = self.data + offset
        return bytes(self.buffer[start : start + size])

    def write(self, offset: int, content: bytes) -> None:
        """Copy bytes in at an offset from `data`; the caller has made sure that they fit."""
        start = self.data + offset
        self.buffer[start : start + len(content)] = content

    def reach(self, length: int) -> bool:
        """Make the first `length` bytes linear (pskb_may_pull); False when the packet is shorter."""
        if length > self.length:
            return False
        self.nonlinear = min(self.nonlinear, self.length - length)
        return True

    def has_memory(self, headroom: int) -> bool:
        """Tell whether the buffer can grow to so much head room."""
        return len(self.buffer) - self.data + headroom <= MAX_BUFFER

    def make_headroom(self, count: int) -> None:
        """See to head room of at least `count` bytes (skb_cow)."""
        if count > self.data:
            missing = count - self.data
            self._expand(missing + -missing % NET_SKB_PAD)

    def push_zeros(self, at: int, count: int) -> None:
        """Make room for `count` zero bytes at an offset from `data`: what stands before it moves towards the head.

        The caller has seen to the head room. Headers stay where they are.
        """
        start = self.data
        self.data -= count
        self.buffer[self.data : self.data + at] = self.buffer[start : start + at]
        self.buffer[self.data + at : start + at] = bytes(count)

    def cut(self, at: int, count: int) -> bytes:
        """Remove `count` bytes at an offset from `data`, and return them; what stands before them moves up to them.

        The caller has made sure that they are linear. Headers stay where they are.
        """
        start = self.data
        removed = bytes(self.buffer[start + at : start + at + count])
        self.data += count
        self.buffer[self.data : self.data + at] = self.buffer[start : start + at]
        return removed

    def resize(self, length: int) -> None:
        """Cut the packet to `length` bytes or add zeros up to it."""
        end = self.data + length
        missing = end - len(self.buffer)
        if missing > 0:
            self._replace(self.buffer + bytes(missing + TAILROOM))
        if end > self.tail:
            self.buffer[self.tail : end] = bytes(end - self.tail)
        self.tail = end

    def refresh(self) -> None:
        """Let programs reach what is the packet now, and see its pointers and length in their context."""
        self.region.low, self.region.high = self.data - self.meta_length, self.tail - self.nonlinear
        self.context.write_pointers(self)

    def _expand(self, count: int) -> None:
        # pskb_expand_head moves the transport header even if it is not set, which then counts as set.
        self._replace(bytearray(count) + self.buffer)
        self.data += count
        self.tail += count
        self.mac_header += count
        self.network_header += count
        self.transport_header = (self.transport_header + count) & NOT_SET

    def _replace(self, buffer: bytearray) -> None:
        # A new buffer is a new region, as an expanded head is new memory: old pointers are stale.
        self.scope.memory.remove(self.region)
        self.buffer = buffer
        self.region = self.scope.add(RegionKind.PACKET, buffer, owner=self)


def ethernet_type(packet: bytes) -> int:
    """Read a frame's protocol as eth_type_trans does; frames with a length instead are 802.2 or 802.3."""
    return encapsulated_type(int.from_bytes(packet[12:14], "big"), packet[14:16])


def encapsulated_type(kind: int, behind: bytes) -> int:
    """Give the protocol that a type field stands for: that number, or by the two bytes behind it 802.2 or 802.3."""
    if kind >= LEAST_ETHERTYPE:
        return kind
    return EtherType.P_802_3 if behind == b"\xff\xff" else EtherType.P_802_2


def packet_type(destination: bytes, mac: bytes, broadcast: bytes) -> PacketType:
    """Say whom a frame is for, seen from an interface with these addresses."""
    if destination == mac:
        return PacketType.HOST
    if not destination[0] & 1:
        return PacketType.OTHERHOST
    return PacketType.BROADCAST if destination == broadcast else PacketType.MULTICAST
