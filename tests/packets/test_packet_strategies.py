from __future__ import annotations

from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from bpflab_packets import builders
from bpflab_packets.builders import FAMILIES
from bpflab_packets.strategies import (
    any_packets,
    free_fields,
    overlapping_fragments,
    packets,
    takes_payload,
    tcp_sessions,
    udp_flows,
)
from bpflab_packets.template import TemplateError
from bpflab_packets.variation import Variation


def chain(packet: Any) -> list[Any]:
    return [packet, *chain(packet.payload)] if packet else []


def rebuilt(data: bytes) -> bytes:
    packet = Ether(data)
    for layer in chain(packet):
        for name in {"chksum", "cksum", "len", "plen"} & set(layer.fields) - {"len" if "SCTP" in layer.name else ""}:
            layer.delfieldval(name)
    return bytes(packet)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), family=st.sampled_from(sorted(FAMILIES)))
def test_drawing_a_packet_is_patching_its_fields(data: st.DataObject, family: str) -> None:
    template = FAMILIES[family]()
    names = free_fields(template)
    room = takes_payload(template)
    variation = Variation.of(template, names, payload=room)
    drawn = data.draw(st.binary(min_size=variation.size, max_size=variation.size + 9 * room))
    varied = variation.apply(drawn)
    values = {name: template.fields[name].read(varied) for name in names}
    assert varied == template.patch(values, payload=drawn[variation.size :] if room else None)


@settings(deadline=None)
@given(data=any_packets())
def test_every_packet_drawn_has_the_lengths_and_checksums_that_scapy_computes(data: bytes) -> None:
    assert rebuilt(data) == data


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_packets_shrink_to_their_template(family: str) -> None:
    template = FAMILIES[family]()
    expected = template.patch(payload=b"") if takes_payload(template) else template.data
    assert find(packets(family), lambda _: True, settings=settings(database=None)) == expected


def test_a_field_that_matters_alone_differs_from_the_template() -> None:
    found = find(packets("udp"), lambda data: Ether(data)[IP].ttl < 32, settings=settings(database=None))
    assert found == builders.udp().patch(ttl=Ether(found)[IP].ttl)


@given(data=packets("tcp", {"IP.ttl": 1, "TCP.dport": st.sampled_from([22, 23])}, payload=5))
def test_fields_are_set_or_drawn_as_the_author_says(data: bytes) -> None:
    packet = Ether(data)
    assert packet[IP].ttl == 1
    assert packet[TCP].dport in {22, 23}
    assert rebuilt(data) == data


@given(data=packets("udp6", vary=("UDP.sport",), payload=0))
def test_what_is_not_named_does_not_vary(data: bytes) -> None:
    assert data == builders.udp6().patch(sport=Ether(data)[UDP].sport)


@pytest.mark.parametrize("room", [5, 64, 65, 1400])
def test_payloads_have_any_size_up_to_the_limit_and_shrink(room: int) -> None:
    def size(data: bytes) -> int:
        return len(data) - len(builders.udp().data)

    @given(data=packets("udp", payload=room))
    def holds(data: bytes) -> None:
        assert 0 <= size(data) <= room

    holds()
    found = find(packets("udp", payload=room), lambda data: size(data) >= 3, settings=settings(database=None))
    assert found == builders.udp().patch(payload=bytes(3))


def test_a_family_that_is_not_there_is_refused_in_words() -> None:
    with pytest.raises(TemplateError, match="'utp' is no family of packets; expected one of: ethernet, vlan"):
        packets("utp")
    with pytest.raises(TemplateError, match="dprt is no field of this packet"):
        packets("udp", vary=("dprt",))


@pytest.mark.parametrize("version", [4, 6])
def test_a_session_is_what_two_hosts_would_say(version: int) -> None:
    @given(session=tcp_sessions(version))
    def holds(session: list[Any]) -> None:
        assert [Ether(s.data)[TCP].flags.value for s in session[:3]] == [2, 18, 16]
        expected = {True: Ether(session[0].data)[TCP].seq, False: Ether(session[1].data)[TCP].seq}
        for segment in session:
            tcp = Ether(segment.data)[TCP]
            assert tcp.seq == expected[segment.from_client]
            assert tcp.ack == (expected[not segment.from_client] if "A" in tcp.flags else 0)
            size = len(Ether(segment.data)[Raw]) if Raw in tcp else 0
            expected[segment.from_client] = (tcp.seq + size + ("S" in tcp.flags) + ("F" in tcp.flags)) % 2**32
        assert Ether(session[-1].data)[TCP].flags.value in {16, 20}

    holds()


@given(session=st.one_of(tcp_sessions(4), tcp_sessions(6), udp_flows(4), udp_flows(6)))
@settings(deadline=None)
def test_the_packets_of_a_flow_are_those_of_two_ends_with_right_checksums(session: list[Any]) -> None:
    ends = set()
    for segment in session:
        packet = Ether(segment.data)
        ip = packet.getlayer(IP) or packet[IPv6]
        end = [(ip.src, ip.payload.sport), (ip.dst, ip.payload.dport)]
        ends.add(tuple(end if segment.from_client else reversed(end)))
        assert rebuilt(segment.data) == segment.data
    assert len(ends) <= 1


@given(pair=overlapping_fragments())
def test_overlapping_fragments_overlap(pair: tuple[bytes, bytes]) -> None:
    first, second = (Ether(data)[IP] for data in pair)
    assert (first.frag, first.flags.MF, second.flags.MF) == (0, True, False)
    assert second.frag * 8 < len(first.payload)
    assert (first.id, first.src, first.dst, first.proto) == (second.id, second.src, second.dst, second.proto)
    assert IP(bytes(IP(**header(first)))).chksum == first.chksum
    assert IP(bytes(IP(**header(second)))).chksum == second.chksum


def header(packet: Any) -> dict[str, Any]:
    return {name: value for name, value in packet.fields.items() if name != "chksum"}
