"""VLAN tags: the outer one stands beside the packet, the others in it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from tests.sim.helpers.skb.conftest import Calls

ADDRESSES = bytes(range(1, 13))
IP, Q, AD = b"\x08\x00", b"\x81\x00", b"\x88\xa8"
REST = bytes(range(100, 160))
PLAIN = ADDRESSES + IP + REST


def native(kind: bytes) -> int:
    return int.from_bytes(kind, sys.byteorder)


def push(kind: bytes, tci: int) -> tuple[str, int, int]:
    return ("skb_vlan_push", native(kind), tci)


POP = ("skb_vlan_pop",)


def tag_of(fields: dict[str, int]) -> tuple[int, int, int]:
    return fields["vlan_present"], fields["vlan_proto"], fields["vlan_tci"]


@pytest.mark.parametrize("kind", [Q, AD], ids=["802.1Q", "802.1AD"])
@pytest.mark.parametrize("tci", [0, 1, 0xFFF, 0x1000, 0xFFFF])
def test_the_first_tag_stands_beside_the_packet(calls: Calls, kind: bytes, tci: int) -> None:
    outcome = calls(push(kind, tci), packet=PLAIN)
    assert (outcome.result, outcome.data) == (0, PLAIN)
    assert tag_of(outcome.fields) == (1, native(kind), tci)
    assert outcome.fields["protocol"] == native(IP)


@pytest.mark.parametrize("kind", [b"\x00\x00", IP, b"\x91\x00"], ids=bytes.hex)
def test_a_tag_of_another_protocol_counts_as_802_1q(calls: Calls, kind: bytes) -> None:
    assert tag_of(calls(push(kind, 5), packet=PLAIN).fields) == (1, native(Q), 5)


def test_a_second_tag_puts_the_first_into_the_packet(calls: Calls) -> None:
    outcome = calls(push(Q, 0x2005), push(AD, 6), packet=PLAIN)
    assert outcome.data == ADDRESSES + Q + b"\x20\x05" + IP + REST
    assert tag_of(outcome.fields) == (1, native(AD), 6)
    assert outcome.fields["protocol"] == native(Q)


def test_only_sixteen_bits_of_the_tag_count(calls: Calls) -> None:
    assert tag_of(calls(("skb_vlan_push", 0x10000 | native(AD), 0x10007), packet=PLAIN).fields) == (1, native(AD), 7)


def test_popping_the_tag_beside_the_packet_leaves_the_packet(calls: Calls) -> None:
    outcome = calls(push(Q, 5), POP, packet=PLAIN)
    assert (outcome.result, outcome.data, tag_of(outcome.fields)) == (0, PLAIN, (0, 0, 0))


def test_popping_a_packet_without_tags_changes_nothing(calls: Calls) -> None:
    outcome = calls(POP, packet=PLAIN)
    assert (outcome.result, outcome.data) == (0, PLAIN)


def test_popping_takes_the_tag_out_of_the_packet(calls: Calls) -> None:
    outcome = calls(POP, packet=ADDRESSES + Q + b"\x00\x05" + IP + REST)
    assert (outcome.result, outcome.data, tag_of(outcome.fields)) == (0, PLAIN, (0, 0, 0))
    assert outcome.fields["protocol"] == native(IP)


def test_popping_moves_the_next_tag_beside_the_packet(calls: Calls) -> None:
    outcome = calls(POP, packet=ADDRESSES + AD + b"\x00\x05" + Q + b"\x00\x06" + IP + REST)
    assert (outcome.result, outcome.data) == (0, PLAIN)
    assert tag_of(outcome.fields) == (1, native(Q), 6)


@pytest.mark.parametrize("rest", [b"", b"\x00\x05\x08"], ids=["nothing", "three bytes"])
def test_a_tag_that_is_cut_off_cannot_be_popped(calls: Calls, rest: bytes) -> None:
    packet = ADDRESSES + Q + rest
    outcome = calls(POP, packet=packet)
    assert (outcome.result, outcome.data) == (-Errno.ENOMEM, packet)


def test_a_length_behind_a_tag_makes_the_packet_802_2(calls: Calls) -> None:
    lengths = [
        calls(POP, packet=ADDRESSES + Q + b"\x00\x05\x00\x20" + sap + REST) for sap in (b"\xff\xff", b"\xaa\xaa")
    ]
    assert [each.fields["protocol"] for each in lengths] == [native(b"\x00\x01"), native(b"\x00\x04")]


def test_the_network_header_follows_what_is_pushed_and_popped(calls: Calls) -> None:
    load = ("skb_load_bytes_relative", 0, 8, 8, 1)
    pushed = calls(push(Q, 5), push(Q, 6), load, packet=PLAIN)
    popped = calls(POP, load, packet=ADDRESSES + Q + b"\x00\x05" + IP + REST)
    assert pushed.memory[2] == (b"\x00\x05" + IP + REST)[:8]
    assert popped.memory[1] == REST[:8]
