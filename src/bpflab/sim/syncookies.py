"""SYN cookies: a segment size and the minute, hidden in a sequence number (syncookies.c of net/ipv4 and net/ipv6).

The kernel hashes with a random secret, so its numbers cannot be foretold. Here the hash is keyed by a constant: cookies
are the same in every run, and those made here are accepted here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WORD: Final = 0xFFFFFFFF
COOKIE_BITS: Final = 24
COOKIE_MASK: Final = (1 << COOKIE_BITS) - 1
MAX_AGE: Final = 2
"""Minutes after which a cookie is not accepted any more (MAX_SYNCOOKIE_AGE)."""
PERIOD_NS: Final = 60 * 1_000_000_000
TCP_HEADER: Final = 20
OPTION_END, OPTION_NOP, OPTION_MSS = 0, 1, 2
MSS_OPTION_SIZE: Final = 4


@dataclass(frozen=True, slots=True)
class Protocol:
    """What differs between IPv4 and IPv6: the header's size, where addresses are, the segment sizes of cookies."""

    header: int
    addresses: slice
    sizes: Sequence[int]
    default: int


IPV4: Final = Protocol(20, slice(12, 20), (536, 1300, 1440, 1460), 536)
IPV6: Final = Protocol(40, slice(8, 40), (1220, 1420, 1440, 8940), 1220)


def make(protocol: Protocol, ip: bytes, tcp: bytes, now: int) -> tuple[int, int]:
    """Return the cookie for a SYN at a time in nanoseconds, and the segment size that it stands for."""
    wanted = segment_size(tcp) or protocol.default
    index = max((at for at, size in enumerate(protocol.sizes) if size <= wanted), default=0)
    minute = now // PERIOD_NS
    cookie = _hash(protocol, ip, tcp, 0, 0) + _sequence(tcp) + (minute << COOKIE_BITS)
    cookie += (_hash(protocol, ip, tcp, minute, 1) + index) & COOKIE_MASK
    return cookie & WORD, protocol.sizes[index]


def check(protocol: Protocol, ip: bytes, tcp: bytes, now: int) -> int:
    """Return the segment size of the cookie that an ACK answers to; 0 for none that was made here lately."""
    minute = now // PERIOD_NS
    acknowledged = struct.unpack_from("!I", tcp, 8)[0]
    rest = (acknowledged - 1 - _hash(protocol, ip, tcp, 0, 0) - (_sequence(tcp) - 1)) & WORD
    age = (minute - (rest >> COOKIE_BITS)) & 0xFF
    if age >= MAX_AGE:
        return 0
    index = (rest - _hash(protocol, ip, tcp, minute - age, 1)) & COOKIE_MASK
    return protocol.sizes[index] if index < len(protocol.sizes) else 0


def segment_size(tcp: bytes) -> int:
    """Return what the option MSS of a TCP header says; 0 where it has none that counts (tcp_parse_mss_option)."""
    options, found = tcp[TCP_HEADER : (tcp[12] >> 4) * 4], 0
    while options:
        if options[0] == OPTION_NOP:
            options = options[1:]
            continue
        size = options[1] if len(options) > 1 else 0
        if options[0] == OPTION_END or not 2 <= size <= len(options):
            break
        if options[0] == OPTION_MSS and size == MSS_OPTION_SIZE:
            found = int.from_bytes(options[2:4], "big") or found
        options = options[size:]
    return found


def _sequence(tcp: bytes) -> int:
    number: int = struct.unpack_from("!I", tcp, 4)[0]
    return number


def _hash(protocol: Protocol, ip: bytes, tcp: bytes, minute: int, which: int) -> int:
    facts = ip[protocol.addresses] + tcp[:4] + struct.pack("!IB", minute & WORD, which)
    return int.from_bytes(blake2s(facts, digest_size=4).digest(), "big")
