"""A packet field keeps its name through what compilers do to it, and the words are never about another number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from bpflab.abi.insn import AluOp
from bpflab.abi.packet_headers import Form
from bpflab.trace.packet import PacketNames
from bpflab.trace.values import PacketBits, Value, computed, number_text, packet_value, swapped

PACKET = bytes(Ether() / IP(ttl=64, src="10.1.2.3", ihl=5) / TCP(dport=23))
NAMES = PacketNames(PACKET)


def loaded(offset: int, size: int) -> Value:
    """A field as a little-endian machine loads it."""
    number = int.from_bytes(PACKET[offset : offset + size], "little")
    return packet_value(number, NAMES, PacketBits(offset * 8, size * 8, swapped=size if size > 1 else 0))


def after(operation: AluOp, value: Value, number: int) -> Value:
    results = {
        AluOp.AND: value.number & number,
        AluOp.LSH: value.number << number,
        AluOp.RSH: value.number >> number,
        AluOp.ADD: value.number + number,
    }
    return computed(operation, value, Value(number, constant=True), results[operation], NAMES)


def test_a_field_in_network_byte_order_reads_as_it_stands_in_the_packet() -> None:
    port = loaded(36, 2)
    assert (port.number, port.name, str(port)) == (0x1700, "tcp.dport", "23")
    turned = swapped(port, 23, 2, NAMES)
    assert (turned.number, turned.name, str(turned)) == (23, "tcp.dport", "23")


def test_an_address_reads_as_one_and_so_does_what_it_is_compared_with() -> None:
    source = loaded(26, 4)
    assert (source.name, str(source)) == ("ip.src", "10.1.2.3")
    assert source.write(int.from_bytes(bytes([192, 0, 2, 1]), "little")) == "192.0.2.1"


@pytest.mark.parametrize(
    ("steps", "name", "operand", "number"),
    [
        ([(AluOp.AND, 0x0F)], "ip.ihl", "ip.ihl", 5),
        ([(AluOp.RSH, 4)], "ip.version", "ip.version", 4),
        ([(AluOp.AND, 0xF0)], "ip.version", "ip.version * 16", 0x40),
        ([(AluOp.LSH, 2), (AluOp.AND, 0x3C)], "ip.ihl", "ip.ihl * 4", 20),
        ([(AluOp.LSH, 2), (AluOp.AND, 0xFC)], "ip.ihl", "ip.ihl * 4", 20),
        ([(AluOp.AND, 0x0F), (AluOp.LSH, 2), (AluOp.ADD, 14)], "ip.ihl * 4 + 14", "(ip.ihl * 4 + 14)", 34),
        ([(AluOp.AND, 0x05)], "ip.version/ihl & 5", "(ip.version/ihl & 5)", 5),
    ],
)
def test_shifts_and_masks_lead_to_the_field_below_them(
    steps: list[tuple[AluOp, int]], name: str, operand: str, number: int
) -> None:
    value = loaded(14, 1)
    for operation, constant in steps:
        value = after(operation, value, constant)
    assert (value.name, value.operand, value.number) == (name, operand, number)


def test_two_bytes_that_are_put_together_are_their_field() -> None:
    high = after(AluOp.LSH, loaded(13, 1), 8)
    value = computed(AluOp.OR, high, loaded(12, 1), PACKET[13] << 8 | PACKET[12], NAMES)
    assert (value.name, str(value)) == ("eth.type", "0x0800")


def test_a_mask_of_a_field_in_network_byte_order_is_read_in_that_order() -> None:
    flags = after(AluOp.AND, loaded(20, 2), int.from_bytes(b"\x1f\xff", "little"))
    assert flags.name == "ip.frag"


STEPS = st.lists(
    st.tuples(st.sampled_from([AluOp.AND, AluOp.LSH, AluOp.RSH]), st.integers(0, 0xFFFF)).map(
        lambda step: step if step[0] is AluOp.AND else (step[0], step[1] % 16)
    ),
    max_size=5,
)


@given(st.integers(0, len(PACKET) - 4), st.sampled_from([1, 2, 4]), STEPS)
def test_bits_of_the_packet_are_always_those_that_the_number_was_made_of(
    offset: int, size: int, steps: list[tuple[AluOp, int]]
) -> None:
    value = loaded(offset, size)
    for operation, number in steps:
        value = after(operation, value, number)
        if value.bits:
            whole = int.from_bytes(PACKET, "big")
            kept = whole >> len(PACKET) * 8 - value.bits.start - value.bits.width & ((1 << value.bits.width) - 1)
            assert value.bits.straight(value.number) == kept


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (65535, "65535"), (65536, "0x10000"), (2**64 - 2, "-2"), (2**32 - 1, "-1")]
)
def test_numbers_read_as_people_write_them(number: int, text: str) -> None:
    assert number_text(number) == text
    assert number_text(number, signed=False) == (text if number < 2**31 else f"{number:#x}")


def test_a_value_of_no_known_origin_has_its_number_alone() -> None:
    assert (str(Value(7)), Value(7).operand, Value(7).form) == ("7", "7", Form.NUMBER)
