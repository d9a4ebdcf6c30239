"""The headers of packets, field by field, under the names that scapy gives them.

A table for naming bytes: `width` is in bits, fields follow each other without gaps. The flags of TCP and GRE are whole
bytes, as programs load them. From IEEE 802.3 and 802.1Q, RFC 826 (ARP), 791 (IPv4), 8200 (IPv6), 9293 (TCP), 768 (UDP),
792 (ICMP), 4443 (ICMPv6), 9260 (SCTP), 2784 (GRE), 7348 (VXLAN).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class IpProto(IntEnum):
    """What follows an IP header, by its number in `protocol` and `next header` (linux/in.h, linux/in6.h)."""

    HOPOPTS = 0
    ICMP = 1
    IPIP = 4
    TCP = 6
    UDP = 17
    IPV6 = 41
    ROUTING = 43
    FRAGMENT = 44
    GRE = 47
    AH = 51
    ICMPV6 = 58
    DSTOPTS = 60
    SCTP = 132


EXTENSIONS: Final = frozenset({IpProto.HOPOPTS, IpProto.ROUTING, IpProto.FRAGMENT, IpProto.AH, IpProto.DSTOPTS})
"""The IPv6 extension headers that lead on to another header (RFC 8200 section 4)."""


class Form(StrEnum):
    """How people write a field: as a number, in hexadecimal, or as an address."""

    NUMBER = "number"
    HEX = "hex"
    MAC = "mac"
    IPV4 = "ipv4"
    IPV6 = "ipv6"


@dataclass(frozen=True, slots=True)
class HeaderField:
    """A field of a header: `start` counts bits from the header's first, `width` its own."""

    name: str
    start: int
    width: int
    form: Form = Form.NUMBER


_FORMS: Final = {"x": Form.HEX, "m": Form.MAC, "4": Form.IPV4, "6": Form.IPV6}
_ROWS: Final = {
    "eth": "dst:48m src:48m type:16x",
    "vlan": "prio:3 dei:1 vlan:12 type:16x",
    "arp": "hwtype:16 ptype:16x hwlen:8 plen:8 op:16 hwsrc:48m psrc:32.4 hwdst:48m pdst:32.4",
    "ip": "version:4 ihl:4 tos:8x len:16 id:16 flags:3 frag:13 ttl:8 proto:8 chksum:16x src:32.4 dst:32.4",
    "ipv6": "version:4 tc:8 fl:20x plen:16 nh:8 hlim:8 src:128.6 dst:128.6",
    "ext": "nh:8 len:8 data:32x",
    "frag": "nh:8 res1:8 offset:13 res2:2 m:1 id:32x",
    "tcp": "sport:16 dport:16 seq:32 ack:32 dataofs:4 reserved:4 flags:8x window:16 chksum:16x urgptr:16",
    "udp": "sport:16 dport:16 len:16 chksum:16x",
    "icmp": "type:8 code:8 chksum:16x id:16 seq:16",
    "icmpv6": "type:8 code:8 cksum:16x id:16 seq:16",
    "sctp": "sport:16 dport:16 tag:32x chksum:32x",
    "gre": "flags:16x proto:16x",
    "vxlan": "flags:8x reserved1:24 vni:24 reserved2:8",
}
"""The width in bits, and behind it how the field is written: x hexadecimal, m MAC, .4 and .6 IP addresses."""


def _fields(row: str) -> tuple[HeaderField, ...]:
    made, start = [], 0
    for word in row.split():
        name, _, what = word.partition(":")
        form = _FORMS.get(what[-1]) if what[-1] in "xm" or "." in what else None
        width = int(what.partition(".")[0].rstrip("xm"))
        made.append(HeaderField(name, start, width, form or Form.NUMBER))
        start += width
    return tuple(made)


HEADERS: Final[Mapping[str, tuple[HeaderField, ...]]] = MappingProxyType(
    {name: _fields(row) for name, row in _ROWS.items()}
)
"""The fields of each header, in order."""

TRANSPORTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        IpProto.ICMP: "icmp",
        IpProto.TCP: "tcp",
        IpProto.UDP: "udp",
        IpProto.GRE: "gre",
        IpProto.ICMPV6: "icmpv6",
        IpProto.SCTP: "sctp",
    }
)
"""The header that an IP protocol number announces; IP in IP, and extensions, apart."""
VXLAN_PORT: Final = 4789
"""The UDP port of VXLAN (RFC 7348)."""
ETHER_ARP: Final = 0x0806
"""The frame type of ARP (linux/if_ether.h)."""


def size_of(header: str) -> int:
    """Return the bytes of a header without options."""
    last = HEADERS[header][-1]
    return (last.start + last.width) // 8
