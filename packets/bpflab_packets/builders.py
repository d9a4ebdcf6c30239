"""Packets that people test again and again, each built by scapy once and returned as a Template.

Addresses are those for documentation (RFC 5737, RFC 3849), hardware addresses locally administered ones.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from bpflab_packets.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT, SERVER = "192.0.2.1", "198.51.100.2"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::2"
CLIENT_PORT, SERVER_PORT = 40001, 443
FAMILIES: dict[str, Callable[[], Template]] = {}
"""Every builder, by the name of its family."""


def _family(build: Callable[[], Any]) -> Callable[[], Template]:
    @cache
    def template() -> Template:
        return Template.of(build())

    template.__doc__, template.__name__ = build.__doc__, build.__name__
    FAMILIES[build.__name__] = template
    return template


@cache
def _layers() -> Any:  # noqa: ANN401 - scapy has no types
    from types import SimpleNamespace

    from scapy.contrib import geneve, mpls
    from scapy.layers import inet, inet6, l2, sctp, vxlan
    from scapy.packet import Raw

    modules = (l2, inet, inet6, sctp, vxlan, geneve, mpls)
    known = {name: value for module in modules for name, value in vars(module).items()}
    return SimpleNamespace(**known | {"Raw": Raw})


def _ethernet() -> Any:  # noqa: ANN401 - as above
    return _layers().Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def _ip(**fields: object) -> Any:  # noqa: ANN401 - as above
    return _layers().IP(**{"src": CLIENT, "dst": SERVER, **fields})


def _ip6(**fields: object) -> Any:  # noqa: ANN401 - as above
    return _layers().IPv6(**{"src": CLIENT6, "dst": SERVER6, **fields})


def _tcp(**fields: object) -> Any:  # noqa: ANN401 - as above
    return _layers().TCP(**{"sport": CLIENT_PORT, "dport": SERVER_PORT, **fields})


def _udp(**fields: object) -> Any:  # noqa: ANN401 - as above
    return _layers().UDP(**{"sport": CLIENT_PORT, "dport": SERVER_PORT, **fields})


def _inner() -> Any:  # noqa: ANN401 - as above
    return _ip(src="10.0.0.1", dst="10.0.0.2") / _udp()


@_family
def ethernet() -> Any:  # noqa: ANN401 - as above
    """Build an Ethernet frame of a local experimental type (IEEE 802, 0x88b5), 46 bytes of payload."""
    packet = _ethernet() / _layers().Raw(bytes(46))
    packet.type = 0x88B5
    return packet


@_family
def vlan() -> Any:  # noqa: ANN401 - as above
    """Build IPv4 and UDP in VLAN 7."""
    return _ethernet() / _layers().Dot1Q(vlan=7) / _ip() / _udp()


@_family
def qinq() -> Any:  # noqa: ANN401 - as above
    """Build IPv4 and UDP in VLAN 7 of service VLAN 100 (802.1ad)."""
    return _ethernet() / _layers().Dot1AD(vlan=100) / _layers().Dot1Q(vlan=7) / _ip() / _udp()


@_family
def arp() -> Any:  # noqa: ANN401 - as above
    """Build an ARP request for the server's address."""
    return _ethernet() / _layers().ARP(hwsrc="02:00:00:00:00:01", psrc=CLIENT, pdst=SERVER)


@_family
def ipv4_options() -> Any:  # noqa: ANN401 - as above
    """Build IPv4 with a router alert and a no-operation, then UDP."""
    scapy = _layers()
    return _ethernet() / _ip(options=[scapy.IPOption_Router_Alert(), scapy.IPOption_NOP()]) / _udp()


@_family
def ipv4_fragment() -> Any:  # noqa: ANN401 - as above
    """Build a later IPv4 fragment: 24 bytes from offset 64 on, more to come."""
    return _ethernet() / _ip(id=7, proto=17, frag=8, flags="MF") / _layers().Raw(bytes(24))


@_family
def ipv6_extensions() -> Any:  # noqa: ANN401 - as above
    """Build IPv6 with hop-by-hop and destination options, then UDP."""
    scapy = _layers()
    return _ethernet() / _ip6() / scapy.IPv6ExtHdrHopByHop() / scapy.IPv6ExtHdrDestOpt() / _udp()


@_family
def ipv6_fragment() -> Any:  # noqa: ANN401 - as above
    """Build a later IPv6 fragment: 24 bytes from offset 64 on, more to come."""
    return _ethernet() / _ip6() / _layers().IPv6ExtHdrFragment(id=7, nh=17, offset=8, m=1) / _layers().Raw(bytes(24))


@_family
def tcp() -> Any:  # noqa: ANN401 - as above
    """Build a SYN over IPv4."""
    return _ethernet() / _ip() / _tcp()


@_family
def tcp6() -> Any:  # noqa: ANN401 - as above
    """Build a SYN over IPv6."""
    return _ethernet() / _ip6() / _tcp()


@_family
def tcp_options() -> Any:  # noqa: ANN401 - as above
    """Build a SYN with the options that hosts send: MSS, SACK permitted, timestamps, window scale."""
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]
    return _ethernet() / _ip() / _tcp(options=options)


@_family
def udp() -> Any:  # noqa: ANN401 - as above
    """Build UDP over IPv4."""
    return _ethernet() / _ip() / _udp()


@_family
def udp6() -> Any:  # noqa: ANN401 - as above
    """Build UDP over IPv6."""
    return _ethernet() / _ip6() / _udp()


@_family
def icmp() -> Any:  # noqa: ANN401 - as above
    """Build an echo request."""
    return _ethernet() / _ip() / _layers().ICMP(id=1, seq=1)


@_family
def icmpv6() -> Any:  # noqa: ANN401 - as above
    """Build an ICMPv6 echo request."""
    return _ethernet() / _ip6() / _layers().ICMPv6EchoRequest(id=1, seq=1)


@_family
def sctp() -> Any:  # noqa: ANN401 - as above
    """Build SCTP over IPv4 with one data chunk of eight bytes."""
    scapy = _layers()
    return _ethernet() / _ip() / scapy.SCTP(sport=CLIENT_PORT, dport=SERVER_PORT) / scapy.SCTPChunkData(data=bytes(8))


@_family
def gre() -> Any:  # noqa: ANN401 - as above
    """Build IPv4 and UDP in GRE with a checksum and a key."""
    return _ethernet() / _ip() / _layers().GRE(chksum_present=1, key_present=1, key=7) / _inner()


@_family
def vxlan() -> Any:  # noqa: ANN401 - as above
    """Build an Ethernet frame with IPv4 and UDP in VXLAN network 7; the outer UDP has a checksum."""
    return _ethernet() / _ip() / _udp(dport=4789) / _layers().VXLAN(flags="Instance", vni=7) / _ethernet() / _inner()


@_family
def geneve() -> Any:  # noqa: ANN401 - as above
    """Build an Ethernet frame with IPv4 and UDP in GENEVE network 7; the outer UDP has a checksum."""
    return _ethernet() / _ip() / _udp(dport=6081) / _layers().GENEVE(vni=7, proto=0x6558) / _ethernet() / _inner()


@_family
def ipip() -> Any:  # noqa: ANN401 - as above
    """Build IPv4 and UDP in IPv4."""
    return _ethernet() / _ip() / _inner()


@_family
def mpls() -> Any:  # noqa: ANN401 - as above
    """Build IPv4 and UDP under two MPLS labels."""
    return _ethernet() / _layers().MPLS(label=16, s=0) / _layers().MPLS(label=17, s=1) / _inner()
