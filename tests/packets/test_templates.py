from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from bpflab_packets.builders import FAMILIES
from bpflab_packets.checksum import crc32c
from bpflab_packets.template import Template, TemplateError

# Fields that say how the rest is to be read: scapy would build other layers for other values.
STRUCTURE = {
    "len",
    "plen",
    "chksum",
    "cksum",
    "ihl",
    "dataofs",
    "version",
    "optionlen",
    "options",
    "proto",
    "nh",
    "type",
}
STRUCTURE |= {"chksum_present", "key_present", "seqnum_present", "routing_present", "optlen", "hwlen", "plen", "flags"}
STRUCTURE |= {"frag", "load", "data", "NextProtocol", "hwtype", "ptype", "oam", "critical", "reserved1", "reserved2"}
FIELDS = [
    (family, name)
    for family, template in FAMILIES.items()
    for name in template().fields
    if name.partition(".")[2] not in STRUCTURE
]
TAKES_PAYLOAD = sorted(set(FAMILIES) - {"arp", "sctp"})


def chain(packet: Any) -> list[Any]:
    """Return the headers of a packet; scapy's own index counts IP options too."""
    return [packet, *chain(packet.payload)] if packet else []


def rebuilt(packet: Any, *computed: str) -> bytes:
    """Let scapy compute every checksum anew, and the other fields that are named."""
    for layer in chain(packet):
        for name in {"chksum", "cksum", *computed} & set(layer.fields):
            layer.delfieldval(name)
    return bytes(packet)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), choice=st.sampled_from(FIELDS))
def test_a_patched_field_gives_what_scapy_builds_with_that_field(data: st.DataObject, choice: tuple[str, str]) -> None:
    family, name = choice
    template = FAMILIES[family]()
    patched = template.patch({name: data.draw(st.integers(0, template.fields[name].mask))})
    packet = Ether(template.data)
    header, _, short = name.partition(".")
    layer, target = next(pair for pair in zip(template.layers, chain(packet), strict=True) if pair[0].name == header)
    setattr(target, short, getattr(type(target)(patched[layer.start : layer.stop]), short))
    assert patched == rebuilt(packet)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), family=st.sampled_from(TAKES_PAYLOAD), payload=st.binary(max_size=70))
def test_another_payload_gives_what_scapy_builds_with_it(data: st.DataObject, family: str, payload: bytes) -> None:
    template = FAMILIES[family]()
    before = Template.of(Ether(template.patch(payload=data.draw(st.binary(max_size=9)))))
    packet = Ether(template.data)
    body = packet.lastlayer().underlayer if Raw in packet else packet.lastlayer()
    body.remove_payload()
    expected = rebuilt(packet / Raw(payload), "len", "plen")
    assert template.patch(payload=payload) == expected
    assert before.patch(payload=payload) == expected


@given(ttl=st.integers(0, 255), dport=st.integers(0, 65535), payload=st.binary(max_size=40))
def test_fields_and_payload_change_together(ttl: int, dport: int, payload: bytes) -> None:
    ip = IP(src="192.0.2.1", dst="203.0.113.9", ttl=ttl)
    expected = bytes(
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / ip / UDP(sport=40001, dport=dport) / payload
    )
    changes = {"IP.dst": "203.0.113.9"}
    assert FAMILIES["udp"]().patch(changes, ttl=ttl, dport=dport, payload=payload) == expected


@given(seed=st.integers(0, 0xFFFFFFFF))
def test_a_checksum_that_comes_to_zero_is_all_ones_in_udp_and_zero_in_tcp(seed: int) -> None:
    for template, protocol in ((FAMILIES["udp6"](), UDP), (FAMILIES["tcp6"](), TCP)):
        varied = Template.of(Ether(template.patch(payload=seed.to_bytes(4))))
        before = Ether(varied.data)[protocol].chksum
        # Adding the checksum itself to the covered words makes their sum zero.
        word = (int.from_bytes(varied.payload[:2]) + before) % 0xFFFF
        zero = varied.patch(payload=word.to_bytes(2) + varied.payload[2:])
        assert Ether(zero)[protocol].chksum == (0xFFFF if protocol is UDP else 0)
        assert zero == rebuilt(Ether(zero))


def test_no_udp_checksum_stays_none() -> None:
    template = Template.of(Ether() / IP(dst="192.0.2.1") / UDP(chksum=0) / b"abc")
    assert Ether(template.patch(dport=9, payload=b"x"))[UDP].chksum == 0


def test_a_given_checksum_stays_as_given_and_the_outer_one_counts_it() -> None:
    patched = FAMILIES["vxlan"]().patch({"IP:2.chksum": 1, "IP:2.ttl": 9})
    packet = Ether(patched)
    assert packet[IP:2].chksum == 1
    assert packet[UDP].chksum == Ether(rebuilt_outer(patched))[UDP].chksum


def rebuilt_outer(data: bytes) -> bytes:
    packet = Ether(data)
    packet[UDP].delfieldval("chksum")
    return bytes(packet)


@given(changes=st.dictionaries(st.sampled_from(["ttl", "id", "tos", "seq", "window"]), st.integers(0, 255)))
def test_the_template_never_changes(changes: dict[str, int]) -> None:
    template = FAMILIES["tcp"]()
    before = bytes(template)
    template.patch(changes)
    assert bytes(template) == before
    assert template.patch() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tttl": 1}, "tttl is no field of this packet; expected one of: Ether.dst"),
        ({"src": 1}, r"src is in more than one header; expected one of: Ether.src, IP.src\."),
        ({"ttl": 256}, "256 does not fit a field of 8 bits; expected 0 to 255"),
        ({"IP.src": "here"}, "'here' is no address"),
        ({"IP.src": "::1"}, "Given are 16 bytes; expected 4 bytes"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(changes: dict[str, int | str], said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        FAMILIES["udp"]().patch(changes)


def test_a_payload_that_no_length_can_say_is_refused_in_words() -> None:
    with pytest.raises(TemplateError, match="a length of 65536; expected at most 65535"):
        FAMILIES["udp"]().patch(payload=bytes(65508))
    with pytest.raises(TemplateError, match="takes no payload"):
        FAMILIES["arp"]().patch(payload=b"x")


def test_the_crc_is_the_one_of_the_catalogue() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_is_well_formed_as_scapy_sees_it(family: str) -> None:
    template = FAMILIES[family]()
    packet = Ether(template.data)
    assert rebuilt(packet) == template.data
    assert [layer.__name__ for layer in packet.layers()] == [layer.name.partition(":")[0] for layer in template.layers]


def test_layers_follow_each_other_without_a_gap() -> None:
    for template in FAMILIES.values():
        layers = template().layers
        assert [layer.stop for layer in layers] == [layer.start for layer in layers[1:]] + [len(template().data)]


def test_importing_the_builders_does_not_import_scapy() -> None:
    code = "import sys, bpflab_packets.builders; sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("address", ["2001:db8::77", "::", "::1:8cd0:5c3:1000"])
def test_ipv6_addresses_are_counted_by_the_checksum(address: str) -> None:
    patched = FAMILIES["udp6"]().patch({"IPv6.src": address})
    assert Ether(patched)[IPv6].src == address
    assert patched == rebuilt(Ether(patched))
