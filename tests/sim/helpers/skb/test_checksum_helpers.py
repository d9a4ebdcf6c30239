"""Checksums: what a header's becomes when fields change, and the sum that came with a packet."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.errno import Errno
from bpflab.abi.flags import RunFlag
from bpflab.abi.helper_flags import CsumLevel
from bpflab.abi.helper_flags import CsumReplaceFlag as Flag

if TYPE_CHECKING:
    from tests.sim.helpers.skb.conftest import Calls

ADDRESSES = bytes(range(1, 13))
COMPLETE: dict[str, Any] = {"flags": RunFlag.SKB_CHECKSUM_COMPLETE}
RECOMPUTE = 1
IP_CHECK, IP_SOURCE = 24, 26
UDP_CHECK, UDP_PORT = 40, 34
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHUNKS = st.one_of(st.binary(max_size=48), st.sampled_from([bytes(8), b"\xff" * 8, b"\xff" * 3, b"\0\0\xff\xff"]))


def total(data: bytes) -> int:
    """Sum up numbers of 16 bits as they stand, modulo 0xffff; an odd byte at the end counts with a zero behind it."""
    padded = data + bytes(len(data) % 2)
    return sum(int.from_bytes(padded[at : at + 2], sys.byteorder) for at in range(0, len(padded), 2)) % 0xFFFF


def mended(packet: bytes, start: int, end: int, at: int, extra: bytes = b"") -> bytes:
    """Give the packet with the right checksum at `at` over `start` to `end` and a pseudo header."""
    without = packet[:at] + bytes(2) + packet[at + 2 :]
    check = 0xFFFF - total(without[start:end] + extra)
    return without[:at] + check.to_bytes(2, sys.byteorder) + without[at + 2 :]


def udp(port: int = 53, payload: bytes = b"payload!") -> bytes:
    ip = bytes((0x45, 0, 0, 28 + len(payload), 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2))
    datagram = b"".join(n.to_bytes(2, "big") for n in (port, 80, 8 + len(payload), 0)) + payload
    packet = mended(ADDRESSES + b"\x08\x00" + ip + datagram, 14, 34, IP_CHECK)
    return mended(packet, 34, len(packet), UDP_CHECK, pseudo(packet))


def pseudo(packet: bytes) -> bytes:
    return packet[26:34] + bytes((0, 17)) + packet[38:40]


def native(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)


@QUICK
@given(old=CHUNKS, new=CHUNKS, seed=st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([0xFFFFFFFF, 0xFFFF0000])))
def test_a_difference_is_what_the_sum_changes_by(calls: Calls, old: bytes, new: bytes, seed: int) -> None:
    answer = calls(("csum_diff", old or None, len(old), new or None, len(new), seed), packet=bytes(14)).result
    assert 0 <= answer <= 0xFFFF
    assert answer % 0xFFFF == (seed + total(new) - total(old)) % 0xFFFF


@QUICK
@given(address=st.binary(min_size=4, max_size=4))
def test_a_changed_address_keeps_both_checksums_right(calls: Calls, address: bytes) -> None:
    packet = udp()
    old, new = native(packet[IP_SOURCE : IP_SOURCE + 4]), native(address)
    outcome = calls(
        ("l4_csum_replace", UDP_CHECK, old, new, 4 | Flag.PSEUDO_HDR),
        ("l3_csum_replace", IP_CHECK, old, new, 4),
        ("skb_store_bytes", IP_SOURCE, address, 4, 0),
        packet=packet,
        **COMPLETE,
    )
    changed = packet[:IP_SOURCE] + address + packet[IP_SOURCE + 4 :]
    assert outcome.results == (0, 0, 0)
    assert total(outcome.data[14:34]) == total(outcome.data[34:] + pseudo(outcome.data)) == 0
    assert outcome.data[IP_SOURCE : IP_SOURCE + 4] == changed[IP_SOURCE : IP_SOURCE + 4]


@QUICK
@given(port=st.integers(0, 0xFFFF))
def test_a_changed_port_keeps_the_checksum_right_by_value_and_by_difference(calls: Calls, port: int) -> None:
    packet, new = udp(), port.to_bytes(2, "big")
    old = packet[UDP_PORT : UDP_PORT + 2]
    store = ("skb_store_bytes", UDP_PORT, new, 2, 0)
    by_value = calls(("l4_csum_replace", UDP_CHECK, native(old), native(new), 2), store, packet=packet, **COMPLETE)
    difference = native(new) + 0xFFFF - native(old)
    by_sum = calls(("l4_csum_replace", UDP_CHECK, 0, difference, 0), store, packet=packet, **COMPLETE)
    for outcome in (by_value, by_sum):
        assert total(outcome.data[34:] + pseudo(outcome.data)) == 0


@pytest.mark.parametrize("helper", ["l3_csum_replace", "l4_csum_replace"])
@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ((41, 0, 7, 2), Errno.EFAULT),
        ((0x10000, 0, 7, 2), Errno.EFAULT),
        ((50, 0, 7, 2), Errno.EFAULT),
        ((49, 0, 7, 2), Errno.EFAULT),
        ((40, 1, 7, 0), Errno.EINVAL),
        ((40, 0, 7, 1), Errno.EINVAL),
        ((40, 0, 7, 8), Errno.EINVAL),
        ((40, 0, 7, 1 << 8), Errno.EINVAL),
        ((0x10000, 0, 7, 1 << 63), Errno.EINVAL),
    ],
)
def test_a_replacement_that_makes_no_sense_is_refused(
    calls: Calls, helper: str, arguments: tuple[int, ...], answer: Errno
) -> None:
    packet = udp()
    outcome = calls((helper, *arguments), packet=packet)
    assert (outcome.result, outcome.data) == (-answer, packet)


def test_only_the_transport_checksum_has_flags(calls: Calls) -> None:
    flags = (Flag.PSEUDO_HDR, Flag.MARK_MANGLED_0, Flag.MARK_ENFORCE, Flag.IPV6)
    answers = [calls(("l3_csum_replace", IP_CHECK, 0, 0, 2 | flag), packet=udp()).result for flag in flags]
    assert answers == [-Errno.EINVAL] * 4


@pytest.mark.parametrize(
    ("flags", "changes"),
    [(Flag.MARK_MANGLED_0, False), (Flag.MARK_MANGLED_0 | Flag.MARK_ENFORCE, True), (Flag.MARK_ENFORCE, True)],
)
def test_a_datagram_without_checksum_keeps_none_unless_enforced(calls: Calls, flags: int, changes: bool) -> None:
    packet = udp()[:UDP_CHECK] + bytes(2) + udp()[UDP_CHECK + 2 :]
    outcome = calls(("l4_csum_replace", UDP_CHECK, 1, 2, 2 | flags), packet=packet)
    assert (outcome.result, outcome.data != packet) == (0, changes)


def test_a_checksum_that_becomes_zero_is_written_mangled(calls: Calls) -> None:
    packet = udp()[:UDP_CHECK] + b"\x05\x00" + udp()[UDP_CHECK + 2 :]
    for flags, written in ((0, b"\0\0"), (Flag.MARK_MANGLED_0, b"\xff\xff")):
        outcome = calls(("l4_csum_replace", UDP_CHECK, 0, native(b"\x05\x00"), 2 | flags), packet=packet)
        assert outcome.data[UDP_CHECK : UDP_CHECK + 2] == written


@QUICK
@given(offset=st.integers(14, 40), content=st.binary(min_size=1, max_size=10))
def test_a_store_that_recomputes_keeps_the_packets_sum(calls: Calls, offset: int, content: bytes) -> None:
    store = ("skb_store_bytes", offset, content, len(content), RECOMPUTE)
    assert calls(store, packet=udp(), **COMPLETE).result == 0


@pytest.mark.parametrize(
    "change",
    [
        ("skb_store_bytes", 45, b"\1", 1, 0),
        ("skb_change_tail", 49, 0),
        ("skb_adjust_room", -20, 1, 0),
        ("skb_change_head", 0, 0),
        ("csum_update", 5),
        ("l4_csum_replace", UDP_CHECK, 1, 2, 2),
        ("l4_csum_replace", UDP_CHECK, 0, 3, Flag.PSEUDO_HDR),
        ("l4_csum_replace", UDP_CHECK, 0, 3, Flag.PSEUDO_HDR | Flag.IPV6),
        ("skb_ecn_set_ce",),
        ("skb_vlan_push", 0x81, 5),
    ],
    ids=lambda change: "-".join(str(part) for part in change if not isinstance(part, bytes)),
)
def test_a_run_with_a_sum_is_refused_exactly_if_the_sum_is_wrong_afterwards(
    calls: Calls, change: tuple[object, ...]
) -> None:
    keeps = change[0] in {"skb_adjust_room", "skb_change_head", "skb_ecn_set_ce", "skb_vlan_push"} or change[-1] == 16
    outcome = calls.attempt([change], udp(), **COMPLETE)
    assert (outcome == Errno.EBADMSG) is not keeps


@pytest.mark.parametrize("prog_type", ["sched_cls", "lwt_xmit"])
def test_the_sum_is_added_to_only_if_there_is_one(calls: Calls, prog_type: str) -> None:
    assert calls(("csum_update", 5), packet=udp(), prog_type=prog_type).result == -Errno.ENOTSUPP
    opposite = 0xFFFFFFFF - 5
    first, second = calls(
        ("csum_update", 5), ("csum_update", opposite), packet=udp(), prog_type=prog_type, **COMPLETE
    ).results
    assert (first - second) % 0xFFFFFFFF == 5


@pytest.mark.parametrize(
    ("levels", "answer"),
    [
        ([], -Errno.EACCES),
        ([CsumLevel.INC], 0),
        ([CsumLevel.INC] * 2, 1),
        ([CsumLevel.INC] * 9, 3),
        ([CsumLevel.INC, CsumLevel.DEC], -Errno.EACCES),
        ([CsumLevel.INC, CsumLevel.INC, CsumLevel.DEC], 0),
        ([CsumLevel.INC, CsumLevel.INC, CsumLevel.RESET], -Errno.EACCES),
        ([CsumLevel.DEC], -Errno.EACCES),
    ],
)
def test_levels_count_the_checksums_that_are_known_to_be_right(
    calls: Calls, levels: list[CsumLevel], answer: int
) -> None:
    steps = [("csum_level", level) for level in (*levels, CsumLevel.QUERY)]
    assert calls(*steps, packet=udp()).result == answer


def test_room_forgets_what_was_verified_unless_told_not_to(calls: Calls) -> None:
    verified, query = ("csum_level", CsumLevel.INC), ("csum_level", CsumLevel.QUERY)
    answers = [calls(verified, ("skb_adjust_room", 8, 1, flags), query, packet=udp()).result for flags in (0, 1 << 5)]
    assert answers == [-Errno.EACCES, 0]


@pytest.mark.parametrize("level", [4, 1 << 32])
def test_other_levels_are_refused(calls: Calls, level: int) -> None:
    assert calls(("csum_level", level), packet=udp()).result == -Errno.EINVAL


def test_a_packet_with_a_sum_has_nothing_verified(calls: Calls) -> None:
    steps = [("csum_level", CsumLevel.INC), ("csum_level", CsumLevel.QUERY)]
    assert calls(*steps, packet=udp(), **COMPLETE).result == -Errno.EACCES
