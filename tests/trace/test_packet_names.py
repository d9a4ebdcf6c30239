"""Bytes of a packet are called what scapy calls them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from bpflab.abi.packet_headers import HEADERS
from bpflab.trace.packet import PacketNames, bits
from bpflab_packets.layout import fields_of, layers_of

HEADER_OF = {"Ether": "eth", "Dot1Q": "vlan", "Dot1AD": "vlan", "IP": "ip", "IPv6": "ipv6", "ARP": "arp"} | {
    name: name.lower() for name in ("TCP", "UDP", "ICMP", "SCTP", "VXLAN", "GRE")
}
WHOLE_BYTES = {"tcp.reserved", "tcp.flags", "gre.flags"}
"""Fields that are kept as programs load them, in whole bytes, where scapy has them bit by bit."""
STACKS = {
    "tcp": Ether() / IP() / TCP(),
    "options": Ether() / IP(options=[IPOption_NOP()] * 8) / UDP(),
    "qinq": Ether() / Dot1AD(vlan=7) / Dot1Q(vlan=9, prio=3) / IP() / ICMP(),
    "ipv6": Ether() / IPv6() / TCP(),
    "extension": Ether() / IPv6() / IPv6ExtHdrDestOpt() / UDP(),
    "fragment": Ether() / IPv6() / IPv6ExtHdrFragment() / UDP(),
    "ip in ip": Ether() / IP() / IP() / TCP(),
    "gre": Ether() / IP() / GRE() / IP() / TCP(),
    "vxlan": Ether() / IP() / UDP(dport=4789) / VXLAN() / Ether() / IP() / TCP(),
    "arp": Ether() / ARP(),
    "sctp": Ether() / IP() / SCTP(),
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_every_field_that_scapy_knows_has_its_name(stack: Packet) -> None:
    data = bytes(stack)
    names, told = PacketNames(data), 0
    for layer, packet in layers_of(stack):
        kind = layer.name.partition(":")[0]
        header = HEADER_OF.get(kind, "")
        known = {field.name for field in HEADERS.get(header, ())}
        for name, place in fields_of(layer, packet, data):
            if name in known and f"{header}.{name}" not in WHOLE_BYTES:
                width = place.mask.bit_length()
                start = place.stop * 8 - place.shift - width
                found = names.field(start, width)
                expected = {f"{header}.{name}"} | {f"{header}:{count}.{name}" for count in (2, 3)}
                assert found is not None, (layer, name)
                assert found.name in expected, (layer, name)
                assert bits(data, start, width) == place.read(data)
                told += 1
    assert told > 5


@pytest.mark.parametrize(
    ("start", "width", "name"),
    [
        (22 * 8, 8, "ip.ttl"),
        (14 * 8, 8, "ip.version/ihl"),
        (14 * 8 + 4, 4, "ip.ihl"),
        (0, 8, "eth.dst[0]"),
        (8, 16, "eth.dst[1:3]"),
        (20 * 8 + 2, 14, "part of ip.flags/ip.frag"),
        (36 * 8, 16, "tcp.dport"),
        (34 * 8, 32, "tcp.sport/dport"),
        (200 * 8, 8, "packet[200]"),
        (200 * 8, 32, "packet[200:204]"),
    ],
)
def test_bits_are_called_by_the_fields_they_belong_to(start: int, width: int, name: str) -> None:
    assert PacketNames(bytes(Ether() / IP() / TCP())).name(start, width) == name


def test_a_packet_without_mac_header_begins_with_its_ip_version() -> None:
    assert [str(PacketNames(bytes(layer / TCP()), mac=False)) for layer in (IP(), IPv6())] == ["ip/tcp", "ipv6/tcp"]


def test_a_later_fragment_has_no_ports() -> None:
    assert str(PacketNames(bytes(Ether() / IP(frag=7, proto=6) / Raw(bytes(20))))) == "eth/ip"


@given(st.binary(max_size=120), st.integers(0, 1000), st.integers(1, 64), st.booleans())
def test_any_bytes_have_some_name(data: bytes, start: int, width: int, mac: bool) -> None:
    assert PacketNames(data, mac=mac).name(start, width)
