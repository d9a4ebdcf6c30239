from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether

from bpflab_packets import builders
from bpflab_packets.compare import describe_difference, differing_fields, packet_matches, side_by_side
from bpflab_packets.strategies import any_packets, packets

MAC = "02:00:00:00:00:01"
FOUND = builders.udp().patch(ttl=63, payload=b"abc")


def test_a_difference_is_told_by_fields_and_then_by_bytes() -> None:
    assert describe_difference(FOUND, builders.udp().patch(payload=b"abc")).splitlines() == [
        "IP.ttl: 63 != 64",
        "IP.chksum: 0x8f96 != 0x8e96",
        "...",
        "0008   00  00  00  01  08  00  45  00  | 00  00  00  01  08  00  45  00",
        "0010   00  1f  00  01  00  00 [3f] 11  | 00  1f  00  01  00  00 [40] 11",
        "0018  [8f] 96  c0  00  02  01  c6  33  |[8e] 96  c0  00  02  01  c6  33",
        "0020   64  02  9c  41  01  bb  00  0b  | 64  02  9c  41  01  bb  00  0b",
        "...",
    ]


def test_a_layer_that_one_packet_has_not_is_told_as_a_whole_and_the_rest_field_by_field() -> None:
    ether, ip = Ether(src=MAC, dst=MAC), IP(src="192.0.2.1", dst="192.0.2.2")
    text = describe_difference(ether / ip / UDP(), ether / Dot1Q(vlan=7) / ip / UDP(sport=1, chksum=2)).splitlines()
    assert text[:5] == [
        "length: 42 != 46 bytes",
        "Ether.type: IPv4 != n_802_1Q",
        "Dot1Q.*: None != prio=0 dei=0 vlan=7 type=IPv4",
        "UDP.sport: 53 != 1",
        "UDP.chksum: 0x7b70 != 0x2",
    ]
    assert "[--]" in text[-1]


@given(data=any_packets())
@settings(deadline=None)
def test_equal_packets_have_no_difference(data: bytes) -> None:
    assert describe_difference(data, bytes(data)) == ""
    assert differing_fields(data, data) == []
    assert packet_matches(data) == data


@given(data=st.data(), family=st.sampled_from(["tcp", "udp6", "vxlan", "mpls", "arp"]))
@settings(deadline=None)
def test_every_differing_byte_is_marked_and_no_other(data: st.DataObject, family: str) -> None:
    left, right = data.draw(packets(family)), data.draw(packets(family))
    text = "\n".join(side_by_side(left, right))
    common = sum(a != b for a, b in zip(left, right, strict=False)) + abs(len(left) - len(right))
    assert text.count("[") == 2 * common
    assert bool(differing_fields(left, right)) == (left != right)


def test_a_pattern_asks_only_for_what_it_sets() -> None:
    assert packet_matches(IP(ttl=63)) == FOUND
    assert packet_matches(IP(ttl=63) / UDP(dport=443)) == FOUND
    assert packet_matches(IP(ttl=64)) != FOUND
    assert packet_matches(TCP()) != FOUND
    assert packet_matches(UDP() / IP()) != FOUND


def test_ignored_fields_are_not_asked_for() -> None:
    forwarded = builders.udp().patch({"IP.chksum": 1}, payload=b"abc", ttl=63)
    assert packet_matches(FOUND) != forwarded
    assert packet_matches(FOUND, ignore=["chksum"]) == forwarded
    assert packet_matches(FOUND, ignore=["IP.chksum"]) == forwarded
    assert packet_matches(FOUND, ignore=["UDP.chksum"]) != forwarded


@pytest.mark.parametrize("ttl", [0, 62, 255])
def test_a_mismatch_is_told_as_found_and_expected(ttl: int) -> None:
    pattern = packet_matches(IP(ttl=ttl) / TCP(dport=1), ignore=["len"])
    assert [str(difference) for difference in pattern.mismatches(FOUND)] == [
        f"IP.ttl: 63 != {ttl}",
        "TCP.*: None != expected",
    ]
    assert repr(pattern) == "packet_matches(IP(ttl) / TCP(dport))"


def test_packets_that_begin_with_ip_are_compared_too() -> None:
    assert packet_matches(IP(ttl=63), first="ip") == FOUND[14:]
    assert describe_difference(FOUND[14:], builders.udp().patch(ttl=9)[14:], first="ip").startswith("length")
