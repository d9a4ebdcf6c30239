"""Room for tunnels, put behind the headers and taken away, and IPv4 made IPv6."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bpflab import SkBuff
from bpflab.abi.errno import Errno
from bpflab.abi.helper_flags import AdjustRoomFlag as Flag
from bpflab.abi.helper_flags import AdjustRoomMode as Mode

if TYPE_CHECKING:
    from tests.sim.helpers.skb.conftest import Calls

ADDRESSES = bytes(range(1, 13))
IPV4, IPV6, ARP, VLAN = 0x0800, 0x86DD, 0x0806, 0x8100
REST = bytes(range(100, 170))
LONGEST = 16064


def frame(kind: int, rest: bytes = REST) -> bytes:
    return ADDRESSES + kind.to_bytes(2, "big") + rest


def network_order(kind: int) -> int:
    return int.from_bytes(kind.to_bytes(2, "big"), sys.byteorder)


@pytest.mark.parametrize("count", [0, 1, 8, 20, 64, 100, 0xFFF])
@pytest.mark.parametrize(("kind", "header"), [(IPV4, 20), (IPV6, 40)])
@pytest.mark.parametrize("mode", list(Mode))
def test_room_is_made_behind_the_mac_or_the_network_header(
    calls: Calls, count: int, kind: int, header: int, mode: Mode
) -> None:
    packet = frame(kind)
    at = 14 + (header if mode is Mode.NET else 0)
    outcome = calls(("skb_adjust_room", count, mode, 0), packet=packet)
    assert (outcome.result, outcome.data) == (0, packet[:at] + bytes(count) + packet[at:])


@pytest.mark.parametrize("count", [1, 8, 20, 30])
@pytest.mark.parametrize(("kind", "header"), [(IPV4, 20), (IPV6, 40)])
@pytest.mark.parametrize("mode", list(Mode))
def test_room_is_taken_behind_the_mac_or_the_network_header(
    calls: Calls, count: int, kind: int, header: int, mode: Mode
) -> None:
    packet = frame(kind)
    at = 14 + (header if mode is Mode.NET else 0)
    outcome = calls(("skb_adjust_room", -count, mode, 0), packet=packet)
    assert (outcome.result, outcome.data) == (0, packet[:at] + packet[at + count :])


@pytest.mark.parametrize(
    ("difference", "flags", "answer"),
    [
        (8, 1 << 9, Errno.EINVAL),
        (8, 1 << 55, Errno.EINVAL),
        (0x1000, 0, Errno.EFAULT),
        (-0x1000, 0, Errno.EFAULT),
        (-0x80000000, 0, Errno.EFAULT),
        (-70, 0, Errno.ENOTSUPP),
        (-51, 0, Errno.ENOTSUPP),
        (8, Flag.DECAP_L3_IPV4, Errno.EINVAL),
        (0, Flag.DECAP_L3_IPV6, Errno.EINVAL),
        (-8, Flag.DECAP_L3_IPV4 | Flag.DECAP_L3_IPV6, Errno.EINVAL),
        (-31, Flag.DECAP_L3_IPV6, Errno.ENOTSUPP),
        (-8, Flag.ENCAP_L3_IPV4, Errno.EINVAL),
        (-8, Flag.ENCAP_L4_UDP, Errno.EINVAL),
        (20, Flag.ENCAP_L3_IPV4 | Flag.ENCAP_L3_IPV6, Errno.EINVAL),
        (40, Flag.ENCAP_L3_IPV4 | Flag.ENCAP_L4_GRE | Flag.ENCAP_L4_UDP, Errno.EINVAL),
        (40, Flag.ENCAP_L3_IPV4 | Flag.ENCAP_L2_ETH | 13 << 56, Errno.EINVAL),
        (20, Flag.ENCAP_L3_IPV4 | Flag.ENCAP_L2_ETH | 21 << 56, Errno.EINVAL),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    calls: Calls, difference: int, flags: int, answer: Errno
) -> None:
    packet = frame(IPV4)
    outcome = calls(("skb_adjust_room", difference, Mode.MAC, flags), packet=packet)
    assert (outcome.result, outcome.data) == (-answer, packet)


@pytest.mark.parametrize("mode", [2, 0xFFFFFFFF])
def test_other_modes_are_not_supported(calls: Calls, mode: int) -> None:
    assert calls(("skb_adjust_room", 8, mode, 0), packet=frame(IPV4)).result == -Errno.ENOTSUPP


@pytest.mark.parametrize("kind", [ARP, VLAN, 0x0005])
def test_other_protocols_are_not_supported(calls: Calls, kind: int) -> None:
    assert calls(("skb_adjust_room", 8, Mode.MAC, 0), packet=frame(kind)).result == -Errno.ENOTSUPP


def test_a_packet_grows_up_to_the_longest_there_is(calls: Calls) -> None:
    tail = ("skb_change_tail", LONGEST - 100, 0)
    answers = [calls(tail, ("skb_adjust_room", n, Mode.MAC, 0), packet=frame(IPV4)).result for n in (100, 101)]
    assert answers == [0, -Errno.ENOTSUPP]


def test_a_packet_of_segments_is_not_adjusted(calls: Calls) -> None:
    for difference in (20, -20):
        for flags in (0, Flag.FIXED_GSO):
            room = ("skb_adjust_room", difference, Mode.MAC, flags)
            assert calls(room, packet=frame(IPV4), ctx=SkBuff(gso_size=9)).result == -Errno.ENOTSUPP


@pytest.mark.parametrize(
    ("kind", "flags", "becomes"),
    [
        (IPV4, Flag.ENCAP_L3_IPV4, IPV4),
        (IPV4, Flag.ENCAP_L3_IPV6, IPV6),
        (IPV6, Flag.ENCAP_L3_IPV4, IPV4),
        (IPV6, Flag.ENCAP_L3_IPV6 | Flag.ENCAP_L4_UDP, IPV6),
        (IPV4, Flag.ENCAP_L4_GRE, IPV4),
        (IPV4, Flag.ENCAP_L3_IPV6 | Flag.ENCAP_L2_ETH | 14 << 56, IPV6),
    ],
)
def test_encapsulation_gives_the_packet_the_outer_protocol(calls: Calls, kind: int, flags: int, becomes: int) -> None:
    outcome = calls(("skb_adjust_room", 60, Mode.MAC, flags), packet=frame(kind))
    assert (outcome.result, outcome.fields["protocol"]) == (0, network_order(becomes))


@pytest.mark.parametrize(
    ("kind", "flags", "becomes"),
    [(IPV4, Flag.DECAP_L3_IPV6, IPV6), (IPV6, Flag.DECAP_L3_IPV4, IPV4), (IPV6, Flag.DECAP_L3_IPV6, IPV6)],
)
def test_decapsulation_gives_the_packet_the_inner_protocol(calls: Calls, kind: int, flags: int, becomes: int) -> None:
    outcome = calls(("skb_adjust_room", -20, Mode.MAC, flags), packet=frame(kind))
    assert (outcome.result, outcome.fields["protocol"]) == (0, network_order(becomes))


def test_a_packet_is_encapsulated_once_and_keeps_its_length_then(calls: Calls) -> None:
    room = ("skb_adjust_room", 20, Mode.MAC, Flag.ENCAP_L3_IPV4)
    assert calls(room, room, packet=frame(IPV4)).results == (0, -Errno.EALREADY)
    assert calls(room, ("skb_change_tail", 60, 0), packet=frame(IPV4)).results == (0, -Errno.ENOTSUPP)


def test_ipv4_becomes_ipv6_by_twenty_bytes_more(calls: Calls) -> None:
    packet = frame(IPV4)
    outcome = calls(("set_hash", 5), ("skb_change_proto", network_order(IPV6), 0), packet=packet)
    assert (outcome.result, outcome.data) == (0, packet[:14] + bytes(20) + packet[14:])
    assert (outcome.fields["protocol"], outcome.fields["hash"]) == (network_order(IPV6), 0)


def test_ipv6_becomes_ipv4_by_twenty_bytes_less(calls: Calls) -> None:
    packet = frame(IPV6)
    outcome = calls(("skb_change_proto", network_order(IPV4), 0), packet=packet)
    assert (outcome.result, outcome.data) == (0, packet[:14] + packet[34:])
    assert outcome.fields["protocol"] == network_order(IPV4)


@pytest.mark.parametrize(
    ("kind", "wanted", "flags", "answer"),
    [
        (IPV4, IPV4, 0, Errno.ENOTSUPP),
        (IPV6, IPV6, 0, Errno.ENOTSUPP),
        (ARP, IPV6, 0, Errno.ENOTSUPP),
        (IPV4, ARP, 0, Errno.ENOTSUPP),
        (IPV4, IPV6, 1, Errno.EINVAL),
    ],
)
def test_no_other_translation_is_known(calls: Calls, kind: int, wanted: int, flags: int, answer: Errno) -> None:
    packet = frame(kind)
    outcome = calls(("skb_change_proto", network_order(wanted), flags), packet=packet)
    assert (outcome.result, outcome.data) == (-answer, packet)
