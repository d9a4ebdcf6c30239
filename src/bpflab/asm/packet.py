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
    from collections.abc import Iterator

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


def load_packet(prog_type: ProgType, *, ctx: Reg = r1, cursor: Reg = r2, end: Reg = r3) -> Iterator[Item]:
    """Load the packet's first byte into `cursor` and the byte behind its last into `end`.

    Reads `ctx`; clobbers nothing else. ArgumentError for a program type whose context has no packet.
    """
    _distinct(ctx=ctx, cursor=cursor, end=end)
    layout = layout_of(prog_type)
    if layout is None:
        raise AssemblyError(f"load_packet: the context of a {prog_type.name} program has no data and data_end")
    for dst, name in ((cursor, "data"), (end, "data_end")):
        member = layout.field(name)
        yield ldx(DW if member.size == DW.width else W, dst, ctx, member.offset)


def check_bounds(length: int, fail: str, *, cursor: Reg = r2, end: Reg = r3, scratch: Reg = r5) -> Iterator[Item]:
    """Jump to `fail` unless `length` bytes from `cursor` lie inside the packet. Clobbers `scratch`."""
    _distinct(cursor=cursor, end=end, scratch=scratch)
    yield mov(scratch, cursor)
    yield add(scratch, length)
    yield jgt(scratch, end, fail)


def parse_ethernet(fail: str, *, cursor: Reg = r2, end: Reg = r3, proto: Reg = r4, scratch: Reg = r5) -> Iterator[Item]:
    """Read an Ethernet header: the type (0x0800 for IPv4, 0x86dd for IPv6) into `proto`.

    Clobbers `scratch`. VLAN tags are not skipped: their type is what `proto` holds.
    """
    _distinct(cursor=cursor, end=end, proto=proto, scratch=scratch)
    yield from check_bounds(ETHERNET_LENGTH, fail, cursor=cursor, end=end, scratch=scratch)
    yield ldx(H, proto, cursor, 12)
    yield be16(proto)
    yield add(cursor, ETHERNET_LENGTH)


def parse_ipv4(
    fail: str,
    *,
    cursor: Reg = r2,
    end: Reg = r3,
    proto: Reg = r4,
    scratch: Reg = r5,
    source: Reg | None = None,
    destination: Reg | None = None,
) -> Iterator[Item]:
    """Read an IPv4 header with its options: the protocol into `proto`, addresses where asked for.

    Clobbers `scratch`. Fails for another version, a header length below 20 bytes, and every fragment
    but the first, which carries no header of the next protocol.
    """
    _distinct(cursor=cursor, end=end, proto=proto, scratch=scratch, source=source, destination=destination)
    yield from check_bounds(IPV4_LENGTH, fail, cursor=cursor, end=end, scratch=scratch)
    yield from _check_version(4, fail, cursor=cursor, scratch=scratch)
    yield ldx(H, scratch, cursor, 6)
    yield be16(scratch)
    yield jset(scratch, _FRAGMENT_OFFSET, fail)
    yield from _load_be32(source, cursor, 12)
    yield from _load_be32(destination, cursor, 16)
    yield ldx(B, proto, cursor, 9)
    yield ldx(B, scratch, cursor, 0)
    yield and_(scratch, 0x0F)
    yield from _skip_words(IPV4_LENGTH, fail, cursor=cursor, scratch=scratch)


def parse_ipv6(fail: str, *, cursor: Reg = r2, end: Reg = r3, proto: Reg = r4, scratch: Reg = r5) -> Iterator[Item]:
    """Read an IPv6 header: the next header into `proto`.

    Clobbers `scratch`. Fails for another version. Extension headers are not skipped.
    """
    _distinct(cursor=cursor, end=end, proto=proto, scratch=scratch)
    yield from check_bounds(IPV6_LENGTH, fail, cursor=cursor, end=end, scratch=scratch)
    yield from _check_version(6, fail, cursor=cursor, scratch=scratch)
    yield ldx(B, proto, cursor, 6)
    yield add(cursor, IPV6_LENGTH)


def parse_tcp(
    fail: str, *, cursor: Reg = r2, end: Reg = r3, source: Reg = r0, destination: Reg = r4, scratch: Reg = r5
) -> Iterator[Item]:
    """Read a TCP header with its options: the ports into `source` and `destination`.

    Clobbers `scratch`. Fails for a header length below 20 bytes.
    """
    _distinct(cursor=cursor, end=end, source=source, destination=destination, scratch=scratch)
    yield from check_bounds(TCP_LENGTH, fail, cursor=cursor, end=end, scratch=scratch)
    yield from _load_ports(cursor, source, destination)
    yield ldx(B, scratch, cursor, 12)
    yield rsh(scratch, 4)
    yield from _skip_words(TCP_LENGTH, fail, cursor=cursor, scratch=scratch)


def parse_udp(
    fail: str, *, cursor: Reg = r2, end: Reg = r3, source: Reg = r0, destination: Reg = r4, scratch: Reg = r5
) -> Iterator[Item]:
    """Read a UDP header: the ports into `source` and `destination`. Clobbers `scratch`."""
    _distinct(cursor=cursor, end=end, source=source, destination=destination, scratch=scratch)
    yield from check_bounds(UDP_LENGTH, fail, cursor=cursor, end=end, scratch=scratch)
    yield from _load_ports(cursor, source, destination)
    yield add(cursor, UDP_LENGTH)


def verdict(value: int) -> Iterator[Item]:
    """Return a verdict, such as XDP.DROP or TC.SHOT, from the program."""
    yield mov(r0, int(value))
    yield exit_()


def _check_version(version: int, fail: str, *, cursor: Reg, scratch: Reg) -> Iterator[Item]:
    yield ldx(B, scratch, cursor, 0)
    yield rsh(scratch, 4)
    yield jne(scratch, version, fail)


def _skip_words(shortest: int, fail: str, *, cursor: Reg, scratch: Reg) -> Iterator[Item]:
    """Move the cursor by as many 32-bit words as `scratch` says, which a header must not understate."""
    yield lsh(scratch, 2)
    yield jlt(scratch, shortest, fail)
    yield add(cursor, scratch)


def _load_be32(dst: Reg | None, cursor: Reg, offset: int) -> Iterator[Item]:
    if dst is not None:
        yield ldx(W, dst, cursor, offset)
        yield be32(dst)


def _load_ports(cursor: Reg, source: Reg, destination: Reg) -> Iterator[Item]:
    for dst, offset in ((source, 0), (destination, 2)):
        yield ldx(H, dst, cursor, offset)
        yield be16(dst)


def _distinct(**roles: Reg | None) -> None:
    seen: dict[Reg, str] = {}
    for role, reg in roles.items():
        if reg is None:
            continue
        if reg in seen:
            raise AssemblyError(f"{reg} cannot be both {seen[reg]} and {role}: give each its own register")
        seen[reg] = role
