"""Names for the bytes of a packet: `ip.ttl`, `tcp.dport`, found by walking over its headers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.ethernet import VLAN_TYPES, EtherType
from bpflab.abi.packet_headers import (
    ETHER_ARP,
    EXTENSIONS,
    HEADERS,
    TRANSPORTS,
    VXLAN_PORT,
    Form,
    IpProto,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_HEADERS = 16
OTHER_FRAGMENT = 0x1FFF
"""The bits of IPv4's flags and offset that say that this is no first fragment."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a packet: its name in `HEADERS` (`ip`, a second one `ip:2`), and where it starts, in bytes."""

    name: str
    start: int

    @property
    def kind(self) -> str:
        """The row of `HEADERS`."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Named:
    """A field of a packet: its full name, such as `ip.ttl`, its first bit in the packet, and its width in bits."""

    name: str
    start: int
    width: int
    form: Form


class PacketNames:
    """The headers of one packet. `data` begins with an Ethernet header, or with an IP header without `mac`."""

    def __init__(self, data: bytes, *, mac: bool = True) -> None:
        self.data = data
        self.headers = tuple(_numbered(_walk(data, "eth" if mac else _ip_version(data, 0), 0)))

    def __str__(self) -> str:
        return "/".join(header.kind for header in self.headers)

    def fields(self, start: int, width: int) -> list[Named]:
        """Return the fields that share bits with `width` bits from bit `start` on, in order."""
        return [
            Named(f"{header.name}.{field.name}", first, field.width, field.form)
            for header in self.headers
            for field in HEADERS[header.kind]
            if (first := header.start * 8 + field.start) < start + width and start < first + field.width
        ]

    def field(self, start: int, width: int) -> Named | None:
        """Return the field that is exactly these bits."""
        found = self.fields(start, width)
        return found[0] if len(found) == 1 and (found[0].start, found[0].width) == (start, width) else None

    def parts(self, start: int, width: int) -> list[Named]:
        """Return the fields that these bits are, whole and without a gap; none where they are not."""
        found = self.fields(start, width)
        fits = found and found[0].start == start and sum(each.width for each in found) == width
        return found if fits else []

    def name(self, start: int, width: int) -> str:
        """Name bits: a field, several joined by `/`, a part of one by its bytes, or `packet[20:24]`."""
        found = self.fields(start, width)
        if self.parts(start, width):
            header = found[0].name.rpartition(".")[0]
            return "/".join([found[0].name, *(each.name.removeprefix(f"{header}.") for each in found[1:])])
        if len(found) == 1 and (start - found[0].start) % 8 == 0 == width % 8:
            first = (start - found[0].start) // 8
            return f"{found[0].name}[{first}]" if width == 8 else f"{found[0].name}[{first}:{first + width // 8}]"
        if found and width % 8:
            return f"part of {'/'.join(each.name for each in found)}"
        first, last = start // 8, (start + width - 1) // 8
        return f"packet[{first}]" if first == last else f"packet[{first}:{last + 1}]"


def written(form: Form, number: int, width: int) -> str:
    """Write a field's number, read in network byte order, as people write it."""
    if form is Form.MAC:
        return number.to_bytes(6, "big").hex(":")
    if form is Form.IPV4:
        return str(ipaddress.IPv4Address(number))
    if form is Form.IPV6:
        return str(ipaddress.IPv6Address(number))
    return f"{number:#0{width // 4 + 2}x}" if form is Form.HEX else str(number)


def _numbered(headers: Iterator[Header]) -> Iterator[Header]:
    seen: dict[str, int] = {}
    for header in headers:
        seen[header.name] = count = seen.get(header.name, 0) + 1
        yield header if count == 1 else Header(f"{header.name}:{count}", header.start)


def _walk(data: bytes, kind: str, start: int) -> Iterator[Header]:
    for _ in range(MOST_HEADERS):
        if not kind or start >= len(data):
            return
        yield Header(kind, start)
        kind, start = _next(data, kind, start)


def _next(data: bytes, kind: str, start: int) -> tuple[str, int]:
    """Return the header after one, and where it starts; an empty name when none is known."""
    after = start + size_of(kind)
    if kind in {"eth", "vlan", "gre"}:
        return _of_ether_type(_number(data, kind, "proto" if kind == "gre" else "type", start)), after
    if kind == "ip":
        later = _number(data, kind, "frag", start) & OTHER_FRAGMENT
        return "" if later else _of_protocol(_number(data, kind, "proto", start)), start + _length(data, start)
    if kind in {"ipv6", "ext", "frag"}:
        after = start + 8 * (_number(data, kind, "len", start) + 1) if kind == "ext" else after
        return _of_protocol(_number(data, kind, "nh", start)), after
    if kind == "udp" and _number(data, kind, "dport", start) == VXLAN_PORT:
        return "vxlan", after
    return "eth" if kind == "vxlan" else "", after


def _length(data: bytes, start: int) -> int:
    return 4 * max(_number(data, "ip", "ihl", start), 5)


def _of_ether_type(number: int) -> str:
    known: dict[int, str] = {EtherType.IP: "ip", EtherType.IPV6: "ipv6", ETHER_ARP: "arp"}
    return "vlan" if number in VLAN_TYPES else known.get(number, "")


def _of_protocol(number: int) -> str:
    if number in EXTENSIONS:
        return "frag" if number == IpProto.FRAGMENT else "" if number == IpProto.AH else "ext"
    inner: dict[int, str] = {IpProto.IPIP: "ip", IpProto.IPV6: "ipv6"}
    return inner.get(number) or TRANSPORTS.get(number, "")


def _ip_version(data: bytes, start: int) -> str:
    return {4: "ip", 6: "ipv6"}.get(data[start] >> 4, "") if data else ""


def _number(data: bytes, kind: str, name: str, start: int) -> int:
    """Read a field; 0 where the packet ends before it."""
    field = next(each for each in HEADERS[kind] if each.name == name)
    return bits(data, start * 8 + field.start, field.width)


def bits(data: bytes, start: int, width: int) -> int:
    """Read `width` bits from bit `start` on as a number, the first bit highest; bytes past the end count as 0."""
    first, stop = start // 8, (start + width + 7) // 8
    number = int.from_bytes(data[first:stop].ljust(stop - first, b"\0"), "big")
    return number >> stop * 8 - start - width & ((1 << width) - 1)
