"""What packet programs do again and again: reach the packet, check bounds, read headers, give a verdict.

A cursor register points at the header to read. Each `parse_` function checks that the header lies
inside the packet, reads it into registers in host byte order, and moves the cursor behind it; where the
packet is too short or not what the function reads, it jumps to the label `fail`. Registers that are
read or written must differ from one another. Layouts: IEEE 802.3, RFC 791, RFC 8200, RFC 9293, RFC 768.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout_of
from bpflab.asm.alu import add, and_, be16, be32, lsh, mov, rsh
from bpflab.asm.jump import exit_, jgt, jlt, jne, jset
from bpflab.asm.memory import ldx
from bpflab.asm.operand import DW, B, H, W, r0, r1, r2, r3, r4, r5
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.asm.item import Item
    from bpflab.asm.operand import Reg

ETHERNET_LENGTH: Final = 14
IPV4_LENGTH: Final = 20
"""Without options; `parse_ipv4` skips them."""
IPV6_LENGTH: Final = 40
TCP_LENGTH: Final = 20
"""Without options; `parse_tcp` skips them."""
UDP_LENGTH: Final = 8

_FRAGMENT_OFFSET: Final = 0x1FFF


def load_packet(prog_type: ProgType, *, ctx: Reg = r1, cursor: Reg = r2, end: Reg = r3) -> list[Item]:
    """Load the packet's first byte into `cursor` and the byte behind its last into `end`.

    Reads `ctx`; clobbers nothing else. AssemblyError or ArgumentError for a program type whose context
    has no packet.
    """
    _distinct(ctx=ctx, cursor=cursor, end=end)
    layout = layout_of(prog_type)
    if layout is None:
        raise AssemblyError(f"load_packet: the context of a {prog_type.name} program has no data and data_end")
    members = ((cursor, layout.field("data")), (end, layout.field("data_end")))
    return [ldx(DW if member.size == DW.width else W, dst, ctx, member.offset) for dst, member in members]


def check_bounds(length: int, fail: str, *, cursor: Reg = r2, end: Reg = r3, scratch: Reg = r5) -> list[Item]:
    """Jump to `fail` unless `length` bytes from `cursor` lie inside the packet. Clobbers `scratch`."""
    _distinct(cursor=cursor, end=end, scratch=scratch)
    return [mov(scratch, cursor), add(scratch, length), jgt(scratch, end, fail)]


def parse_ethernet(fail: str, *, cursor: Reg = r2, end: Reg = r3, proto: Reg = r4, scratch: Reg = r5) -> list[Item]:
    """Read an Ethernet header: the type (0x0800 for IPv4, 0x86dd for IPv6) into `proto`.

    Clobbers `scratch`. VLAN tags are not skipped: their type is what `proto` holds.
    """
    _distinct(cursor=cursor, end=end, proto=proto, scratch=scratch)
    return [
        *check_bounds(ETHERNET_LENGTH, fail, cursor=cursor, end=end, scratch=scratch),
        *_load_be16(proto, cursor, 12),
        add(cursor, ETHERNET_LENGTH),
    ]


def parse_ipv4(
    fail: str,
    *,
    cursor: Reg = r2,
    end: Reg = r3,
    proto: Reg = r4,
    scratch: Reg = r5,
    source: Reg | None = None,
    destination: Reg | None = None,
) -> list[Item]:
    """Read an IPv4 header with its options: the protocol into `proto`, addresses where asked for.

    Clobbers `scratch`. Fails for another version, a header length below 20 bytes, and every fragment
    but the first, which carries no header of the next protocol.
    """
    _distinct(cursor=cursor, end=end, proto=proto, scratch=scratch, source=source, destination=destination)
    return [
        *check_bounds(IPV4_LENGTH, fail, cursor=cursor, end=end, scratch=scratch),
        *_check_version(4, fail, cursor=cursor, scratch=scratch),
        *_load_be16(scratch, cursor, 6),
        jset(scratch, _FRAGMENT_OFFSET, fail),
        *_load_address(source, cursor, 12),
        *_load_address(destination, cursor, 16),
        ldx(B, proto, cursor, 9),
        ldx(B, scratch, cursor, 0),
        and_(scratch, 0x0F),
        *_skip_words(IPV4_LENGTH, fail, cursor=cursor, scratch=scratch),
    ]


def parse_ipv6(fail: str, *, cursor: Reg = r2, end: Reg = r3, proto: Reg = r4, scratch: Reg = r5) -> list[Item]:
    """Read an IPv6 header: the next header into `proto`.

    Clobbers `scratch`. Fails for another version. Extension headers are not skipped.
    """
    _distinct(cursor=cursor, end=end, proto=proto, scratch=scratch)
    return [
        *check_bounds(IPV6_LENGTH, fail, cursor=cursor, end=end, scratch=scratch),
        *_check_version(6, fail, cursor=cursor, scratch=scratch),
        ldx(B, proto, cursor, 6),
        add(cursor, IPV6_LENGTH),
    ]


def parse_tcp(
    fail: str, *, cursor: Reg = r2, end: Reg = r3, source: Reg = r0, destination: Reg = r4, scratch: Reg = r5
) -> list[Item]:
    """Read a TCP header with its options: the ports into `source` and `destination`.

    Clobbers `scratch`. Fails for a header length below 20 bytes.
    """
    _distinct(cursor=cursor, end=end, source=source, destination=destination, scratch=scratch)
    return [
        *check_bounds(TCP_LENGTH, fail, cursor=cursor, end=end, scratch=scratch),
        *_load_be16(source, cursor, 0),
        *_load_be16(destination, cursor, 2),
        ldx(B, scratch, cursor, 12),
        rsh(scratch, 4),
        *_skip_words(TCP_LENGTH, fail, cursor=cursor, scratch=scratch),
    ]


def parse_udp(
    fail: str, *, cursor: Reg = r2, end: Reg = r3, source: Reg = r0, destination: Reg = r4, scratch: Reg = r5
) -> list[Item]:
    """Read a UDP header: the ports into `source` and `destination`. Clobbers `scratch`."""
    _distinct(cursor=cursor, end=end, source=source, destination=destination, scratch=scratch)
    return [
        *check_bounds(UDP_LENGTH, fail, cursor=cursor, end=end, scratch=scratch),
        *_load_be16(source, cursor, 0),
        *_load_be16(destination, cursor, 2),
        add(cursor, UDP_LENGTH),
    ]


def verdict(value: int) -> list[Item]:
    """Return a verdict, such as XDP.DROP or TC.SHOT, from the program. Writes r0."""
    return [mov(r0, int(value)), exit_()]


def _check_version(version: int, fail: str, *, cursor: Reg, scratch: Reg) -> list[Item]:
    return [ldx(B, scratch, cursor, 0), rsh(scratch, 4), jne(scratch, version, fail)]


def _skip_words(shortest: int, fail: str, *, cursor: Reg, scratch: Reg) -> list[Item]:
    """Move the cursor by as many 32-bit words as `scratch` says, which a header must not understate."""
    return [lsh(scratch, 2), jlt(scratch, shortest, fail), add(cursor, scratch)]


def _load_be16(dst: Reg, cursor: Reg, offset: int) -> list[Item]:
    return [ldx(H, dst, cursor, offset), be16(dst)]


def _load_address(dst: Reg | None, cursor: Reg, offset: int) -> list[Item]:
    return [] if dst is None else [ldx(W, dst, cursor, offset), be32(dst)]


def _distinct(**roles: Reg | None) -> None:
    seen: dict[Reg, str] = {}
    for role, reg in roles.items():
        if reg is None:
            continue
        if reg in seen:
            raise AssemblyError(f"{reg} cannot be both {seen[reg]} and {role}: give each its own register")
        seen[reg] = role
