"""A socket buffer: a packet with head room, and the numbers that the kernel keeps beside it (struct sk_buff)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.memory import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.memory import Region, Scope
    from bpflab.sim.skb_context import SkbContext

NET_SKB_PAD: Final = 64
"""Head room of a buffer that a test run makes (linux/skbuff.h, cache lines of 64 bytes)."""
TAILROOM: Final = 320
MAX_LENGTH: Final = 0xFFFF
MAC_LENGTH: Final = 14

PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST = range(4)
ETH_P_802_3, ETH_P_802_2, ETH_P_IP, ETH_P_IPV6 = 0x0001, 0x0004, 0x0800, 0x86DD
LEAST_ETHERTYPE: Final = 0x0600


class Skb:
    """A packet in one linear buffer: `buffer[data:tail]`, with the MAC and network headers as offsets into it.

    `nonlinear` bytes at its end count as paged: programs reach them directly only after skb_pull_data. Numbers that
    programs read and write directly are in `context`; those that helpers alone know are here.
    """

    def __init__(self, scope: Scope, packet: bytes, *, with_mac: bool) -> None:
        self.scope = scope
        self.buffer = bytearray(NET_SKB_PAD) + packet + bytes(TAILROOM)
        self.mac_header = NET_SKB_PAD
        self.network_header = NET_SKB_PAD + MAC_LENGTH
        self.data = self.mac_header if with_mac else self.network_header
        self.tail = NET_SKB_PAD + len(packet)
        self.with_mac = with_mac
        self.nonlinear = 0
        self.meta_length = 0
        self.direct = True
        self.ip_summed = 0
        self.csum = 0
        self.csum_level = 0
        self.gso_type = 0
        self.hash_is_set = False
        self.encapsulation = False
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

    def header_offset(self, start: int) -> int:
        """Return where BPF_HDR_START_MAC (0) or BPF_HDR_START_NET (1) is, relative to `data`."""
        return (self.network_header if start else self.mac_header) - self.data

    def read(self, offset: int, size: int) -> bytes | None:
        """Copy bytes at an offset from `data`; None when they are not all in the packet."""
        if offset < 0 or size < 0 or offset + size > self.length:
            return None
        start = self.data + offset
        return bytes(self.buffer[start : start + size])

    def write(self, offset: int, content: bytes) -> bool:
        """Copy bytes in at an offset from `data`; False, and nothing written, when they do not fit the packet."""
        if offset < 0 or offset + len(content) > self.length:
            return False
        start = self.data + offset
        self.buffer[start : start + len(content)] = content
        return True

    def insert(self, at: int, count: int) -> None:
        """Make room for `count` zero bytes at an offset from `data`; what stands before it moves towards the head."""
        self.make_headroom(count)
        start = self.data
        self.buffer[start - count : start - count + at] = self.buffer[start : start + at]
        self.buffer[start - count + at : start + at] = bytes(count)
        self.data -= count

    def cut(self, at: int, count: int) -> None:
        """Remove `count` bytes at an offset from `data`; what stands before them moves towards the tail."""
        start = self.data
        self.buffer[start + count : start + count + at] = self.buffer[start : start + at]
        self.data += count

    def make_headroom(self, count: int) -> None:
        """Grow the head room to at least `count` bytes, as pskb_expand_head does."""
        missing = count - self.data
        if missing > 0:
            self._replace(bytearray(missing) + self.buffer)
            self.data += missing
            self.tail += missing
            self.mac_header += missing
            self.network_header += missing

    def resize(self, length: int) -> None:
        """Cut the packet to `length` bytes or add zeros up to it."""
        end = self.data + length
        if end > len(self.buffer) - TAILROOM:
            self._replace(self.buffer + bytes(end - len(self.buffer) + TAILROOM))
        self.buffer[min(end, self.tail) : max(end, self.tail)] = bytes(abs(end - self.tail))
        self.tail = end
        self.nonlinear = 0

    def pull_mac(self) -> None:
        """Let the packet begin at its network header."""
        self.data = self.network_header

    def refresh(self) -> None:
        """Let programs reach what is the packet now, and see its pointers and length in their context."""
        self.region.low, self.region.high = self.data - self.meta_length, self.tail - self.nonlinear
        self.context.write_pointers(self)

    def _replace(self, buffer: bytearray) -> None:
        # A new buffer is a new region, as an expanded head is new memory: old pointers are stale.
        self.scope.memory.remove(self.region)
        self.buffer = buffer
        self.region = self.scope.add(RegionKind.PACKET, buffer, owner=self)


def ethernet_type(packet: bytes) -> int:
    """Read a frame's protocol as eth_type_trans does; frames with a length instead are 802.2 or 802.3."""
    kind = int.from_bytes(packet[12:14], "big")
    if kind >= LEAST_ETHERTYPE:
        return kind
    return ETH_P_802_3 if packet[14:16] == b"\xff\xff" else ETH_P_802_2


def packet_type(destination: bytes, mac: bytes, broadcast: bytes) -> int:
    """Say whom a frame is for, seen from an interface with these addresses (PACKET_HOST, ...)."""
    if destination == mac:
        return PACKET_HOST
    if destination == broadcast:
        return PACKET_BROADCAST
    return PACKET_MULTICAST if destination[0] & 1 else PACKET_OTHERHOST
