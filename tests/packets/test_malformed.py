from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from bpflab_packets import builders
from bpflab_packets.builders import FAMILIES
from bpflab_packets.malformed import KINDS, Malformed, overlapping_fragments, spoil
from bpflab_packets.strategies import malformed_packets

IPV4 = sorted(family for family, template in FAMILIES.items() if "IP.ttl" in template().fields)


def chain(packet: Any) -> list[Any]:
    return [packet, *chain(packet.payload)] if packet else []


def rebuilt(data: bytes, *computed: str) -> bytes:
    packet = Ether(data)
    for layer in chain(packet):
        for name in set(computed) & set(layer.fields):
            layer.delfieldval(name)
    return bytes(packet)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_packets_are_cut_before_and_within_every_layer(family: str) -> None:
    template = FAMILIES[family]()
    sizes = {len(wrong.data) for wrong in spoil(template, "truncated")}
    assert {layer.start for layer in template.layers} <= sizes
    assert all(any(layer.start < size < layer.stop for size in sizes) for layer in template.layers)
    assert all(template.data.startswith(wrong.data) for wrong in spoil(template, "truncated"))
    assert max(sizes) < len(template.data)


@settings(deadline=None)
@given(data=st.data(), family=st.sampled_from(IPV4))
def test_a_bad_length_is_the_only_fault(data: st.DataObject, family: str) -> None:
    wrong = data.draw(malformed_packets(family, "bad_length"))
    said, length = wrong.what.partition(" ")[0], int(wrong.what.rpartition(" ")[2])
    template = FAMILIES[family]()
    place = template.fields[said]
    assert place.read(wrong.data) != length
    assert length == len(wrong.data) - next(layer.start for layer in template.layers if layer.name == said[:-4])


@settings(deadline=None)
@given(data=st.data(), family=st.sampled_from(sorted(set(FAMILIES) - {"ethernet", "arp", "ipv6_fragment", "sctp"})))
def test_a_bad_checksum_is_wrong_as_scapy_sees_it_and_the_only_fault(data: st.DataObject, family: str) -> None:
    wrong = data.draw(malformed_packets(family, "bad_checksum"))
    header, _, name = wrong.what.removesuffix(" is wrong").partition(".")
    names = [layer.name for layer in FAMILIES[family]().layers]
    layers = chain(Ether(wrong.data))
    layer = layers.pop(names.index(header))
    for other in layers:
        for field in {"chksum", "cksum"} & set(other.fields):
            other.delfieldval(field)
    assert bytes(layers[0]) == wrong.data
    before = getattr(layer, name)
    layer.delfieldval(name)
    assert getattr(chain(Ether(bytes(layers[0])))[names.index(header)], name) != before


@settings(deadline=None)
@given(wrong=malformed_packets("tcp", "bad_header_length"))
def test_a_bad_header_length_is_impossible_for_the_header(wrong: Malformed) -> None:
    packet = FAMILIES["tcp"]()
    ihl, dataofs = packet.fields["IP.ihl"].read(wrong.data), packet.fields["TCP.dataofs"].read(wrong.data)
    impossible = {"IP.ihl": not 20 <= ihl * 4 <= len(wrong.data) - 14}
    impossible["TCP.dataofs"] = not 20 <= dataofs * 4 <= len(wrong.data) - 34
    assert [name for name, bad in impossible.items() if bad] == [wrong.what.partition(" ")[0]]


@pytest.mark.parametrize("family", IPV4)
def test_oversize_packets_exceed_what_they_say(family: str) -> None:
    sizes = {wrong.what: wrong.data for wrong in spoil(FAMILIES[family](), "oversize")}
    assert all(len(data) - 14 == 1501 for what, data in sizes.items() if "1500" in what)
    for data in (data for what, data in sizes.items() if "65535" in what):
        place = FAMILIES[family]().fields["IP.frag"]
        length, size = FAMILIES[family]().fields["IP.len"].read(data), FAMILIES[family]().fields["IP.ihl"].read(data)
        assert place.read(data) * 8 + length - size * 4 > 65535


@settings(deadline=None)
@given(data=st.data(), family=st.sampled_from(sorted(FAMILIES)))
def test_what_is_spoilt_is_never_what_it_was(data: st.DataObject, family: str) -> None:
    wrong = data.draw(malformed_packets(family))
    assert wrong.kind in KINDS
    assert wrong.data not in {FAMILIES[family]().data, rebuilt(FAMILIES[family]().data, "chksum", "len")}


@pytest.mark.parametrize("overlap", [0, 5])
def test_fragments_that_do_not_overlap_are_refused_in_words(overlap: int) -> None:
    with pytest.raises(ValueError, match=f"Fragments of 4 units overlap by {overlap}; expected 1 to 4"):
        overlapping_fragments(builders.ipv4_fragment(), 4, overlap)


@pytest.mark.parametrize("family", ["tcp", "udp", "tcp6", "udp6"])
def test_each_length_and_checksum_of_a_packet_is_spoilt(family: str) -> None:
    said = {wrong.what.partition(" ")[0] for wrong in spoil(FAMILIES[family](), "bad_length", "bad_checksum")}
    packet = Ether(FAMILIES[family]().data)
    expected = {"IP.len", "IP.chksum"} if IP in packet else {"IPv6.plen"} if IPv6 in packet else set()
    expected |= {"TCP.chksum"} if TCP in packet else {"UDP.len", "UDP.chksum"} if UDP in packet else set()
    assert said == expected
