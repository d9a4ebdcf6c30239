"""A machine of the other byte order does to packets what this one does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.sim import checksum
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

if TYPE_CHECKING:
    from tests.sim.helpers.skb.conftest import Calls, Helper

    from bpflab.asm import ByteOrder

ORDERS: tuple[ByteOrder, ...] = ("little", "big")
MAC = bytes.fromhex("020000000001020000000002")
IPV4 = bytes((0x45, 1, 0, 48, 0, 0, 0, 0, 64, 17, 1, 2, 10, 0, 0, 1, 10, 0, 0, 2)) + bytes(range(28))
IPV6 = bytes((0x60, 0x10, 0, 0, 0, 20, 17, 64)) + bytes(range(52))
PLAIN, SIX, TAGGED = MAC + b"\x08\x00" + IPV4, MAC + b"\x86\xdd" + IPV6, MAC + b"\x81\x00\x00\x05\x08\x00" + IPV4
CHECK = 24


@pytest.fixture
def machines(calls: Calls) -> Iterator[dict[ByteOrder, Calls]]:
    labs = {order: Lab(SimBackend(Machine(byteorder=order))) for order in ORDERS}
    yield {order: type(calls)(lab) for order, lab in labs.items()}
    for lab in labs.values():
        lab.close()


def in_order(value: bytes, order: ByteOrder) -> int:
    return int.from_bytes(value, order)


def steps(order: ByteOrder) -> list[list[Helper]]:
    """Give sequences of calls; numbers in network byte order are what the machine would read from memory."""
    old, new = in_order(b"\x0a\0\0\1", order), in_order(b"\x0b\1\2\3", order)
    vlan, six, four = (in_order(kind, order) for kind in (b"\x81\x00", b"\x86\xdd", b"\x08\x00"))
    return [
        [("skb_load_bytes", 14, 8, 8), ("skb_store_bytes", 30, b"\1\2\3", 3, 1)],
        [("l3_csum_replace", CHECK, old, new, 4), ("l4_csum_replace", CHECK, old, new, 4 | 1 << 4)],
        [("l3_csum_replace", CHECK, in_order(b"\x0a\0", order), in_order(b"\x0b\1", order), 2)],
        [("skb_vlan_push", vlan, 5), ("skb_vlan_push", vlan, 6), ("skb_vlan_pop",)],
        [("skb_change_proto", six, 0), ("skb_change_proto", four, 0), ("skb_change_proto", six, 0)],
        [("skb_ecn_set_ce",), ("get_hash_recalc",), ("skb_adjust_room", 20, 1, 2)],
        [("skb_vlan_pop",), ("skb_load_bytes_relative", 0, 8, 8, 1)],
    ]


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize("packet", [PLAIN, SIX, TAGGED], ids=["IPv4", "IPv6", "VLAN"])
def test_both_byte_orders_leave_the_same_packet(machines: dict[ByteOrder, Calls], at: int, packet: bytes) -> None:
    little, big = (machines[order](*steps(order)[at], packet=packet) for order in ORDERS)
    assert (big.results, big.memory, big.data, big.retval) == (
        little.results,
        little.memory,
        little.data,
        little.retval,
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=40), old=st.binary(min_size=4, max_size=4), new=st.binary(min_size=4, max_size=4))
def test_a_checksum_is_the_same_bytes_in_both_byte_orders(data: bytes, old: bytes, new: bytes) -> None:
    written = []
    for order in ORDERS:
        check = checksum.fold(checksum.partial(data, 0, order))
        word = checksum.replaced_word(check, in_order(old, order), in_order(new, order))
        half = checksum.replaced_half(check, in_order(old[:2], order), in_order(new[:2], order))
        sum_of_both = checksum.sub(checksum.partial(new, 0, order), checksum.partial(old, 0, order))
        numbers = (check, word, half, checksum.replaced_by(check, sum_of_both))
        written.append([number.to_bytes(2, order) for number in numbers])
    assert written[0] == written[1]
