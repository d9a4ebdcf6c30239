"""Segment routing headers: their check, their place, headers put around a packet (seg6*.c, RFC 8754)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.ethernet import EtherType
from bpflab.sim import routing, skb_checksum, skb_headers

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.world import World

IPV6_HEADER: Final = 40
NEXT_HEADER, HOP_LIMIT = 6, 7
"""Where they are in an IPv6 header."""
SOURCE, DESTINATION = slice(8, 24), slice(24, 40)
ROUTING, IPV6_PROTOCOL = 43, 41
OPTIONS: Final = frozenset({0, 60})
"""Extension headers that may come before the routing header: hop-by-hop and destination options."""
FIXED: Final = 8
"""Bytes of a routing header before its segments."""
FLAGS: Final = 5
"""Where the bytes begin that a program may write: flags and tag."""
SEGMENT: Final = 16
TYPE_4: Final = 4
PAD1: Final = 0
DEFAULT_HOP_LIMIT: Final = 64


@dataclass(slots=True)
class HeaderState:
    """The routing header that a program works on: bytes behind its first eight, and whether it was checked since."""

    length: int
    valid: bool = True


def is_valid(srh: bytes, *, reduced: bool) -> bool:
    """Tell whether bytes are a segment routing header, and nothing else (seg6_validate_srh)."""
    if len(srh) < FIXED or srh[2] != TYPE_4 or (srh[1] + 1) * 8 != len(srh):
        return False
    left, first = srh[3], srh[4]
    if left > first + reduced or (reduced and first > srh[1] // 2 - 1):
        return False
    return _options_fit(srh, FIXED + (first + 1) * SEGMENT)


def _options_fit(srh: bytes, at: int) -> bool:
    """Tell whether the options behind the segments end where the header does."""
    while at < len(srh):
        if srh[at] == PAD1:
            at += 1
            continue
        if at + 2 > len(srh):
            return False
        at += 2 + srh[at + 1]
    return at == len(srh)


def find(skb: Skb, wanted: int = ROUTING) -> int | None:
    """Return where a header is that follows the IPv6 header, from the packet's data on; None where there is none."""
    start = skb.network_offset
    header = skb.read(start, IPV6_HEADER)
    if header is None or header[0] >> 4 != 6:
        return None
    kind, at = header[NEXT_HEADER], start + IPV6_HEADER
    while kind != wanted:
        extension = skb.read(at, 2)
        if kind not in OPTIONS | {ROUTING} or extension is None:
            return None
        kind, at = extension[0], at + 8 * (extension[1] + 1)
    return at


def advance(skb: Skb) -> HeaderState | None:
    """Go on to the next segment, as the endpoint does before its program; None for a packet that has none left."""
    at = find(skb)
    srh = b"" if at is None else skb.read(at, FIXED) or b""
    whole = skb.read(at, 8 * (srh[1] + 1)) if at is not None and srh else None
    if at is None or whole is None or not is_valid(whole, reduced=True) or not whole[3]:
        return None
    left = whole[3] - 1
    skb.write(at + 3, bytes([left]))
    segment = whole[FIXED + left * SEGMENT : FIXED + (left + 1) * SEGMENT]
    skb.write(skb.network_offset + DESTINATION.start, segment)
    return HeaderState(8 * whole[1])


def wrap(world: World, skb: Skb, srh: bytes) -> None:
    """Put an IPv6 header and a routing header around a packet (seg6_do_srh_encap)."""
    inner = skb.read(skb.network_offset, IPV6_HEADER) or b""
    wide = skb.protocol == EtherType.IPV6 and len(inner) == IPV6_HEADER
    start = bytes([0x60 | inner[0] & 0xF]) + inner[1:4] if wide else b"\x60\0\0\0"
    target = srh[FIXED + srh[4] * SEGMENT :][:SEGMENT]
    limit = inner[HOP_LIMIT] if wide else DEFAULT_HOP_LIMIT
    outer = start + bytes(2) + bytes([ROUTING, limit]) + _source(world, target) + target
    push(skb, outer + bytes([IPV6_PROTOCOL]) + srh[1:], EtherType.IPV6)
    set_length(skb)


def insert(skb: Skb, srh: bytes) -> None:
    """Put a routing header behind the packet's own IPv6 header (seg6_do_srh_inline)."""
    header = skb.read(0, IPV6_HEADER) or b""
    skb.make_headroom(len(srh))
    skb_headers.make_room(skb, IPV6_HEADER, len(srh))
    segments = header[DESTINATION] + srh[FIXED + SEGMENT :]
    skb.write(IPV6_HEADER, header[NEXT_HEADER : NEXT_HEADER + 1] + srh[1:FIXED] + segments)
    skb.write(NEXT_HEADER, bytes([ROUTING]))
    target = segments[srh[4] * SEGMENT :]
    skb.write(DESTINATION.start, target[:SEGMENT])
    set_length(skb)


def push(skb: Skb, header: bytes, protocol: int) -> None:
    """Put a header in front of the packet, and have it count as a packet of that protocol."""
    skb.make_headroom(len(header))
    skb.data -= len(header)
    skb.write(0, header)
    skb.network_header = skb.data
    skb.encapsulation = True
    skb.protocol = protocol
    skb_checksum.added_at(skb, header, 0)


def set_length(skb: Skb) -> None:
    """Write how long the payload of the IPv6 header is."""
    skb.write(4, ((skb.length - IPV6_HEADER) & 0xFFFF).to_bytes(2, "big"))


def _source(world: World, target: bytes) -> bytes:
    route = routing.find_route(world, ipaddress.IPv6Address(target), table=None)
    return bytes(16) if route is None or route.source is None else route.source.packed


def next_hop(world: World, skb: Skb, address: bytes | None = None, table: int = 0) -> bool:
    """Tell whether a route leads on: to the packet's destination, or to another address."""
    target = address or skb.read(skb.network_offset + DESTINATION.start, SEGMENT) or bytes(SEGMENT)
    route = routing.find_route(world, ipaddress.IPv6Address(target), table=table or None)
    return route is not None and route.kind == "unicast"
