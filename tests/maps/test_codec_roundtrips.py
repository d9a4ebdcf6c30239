from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.layout import ByteOrder
from bpflab.errors import ArgumentError, CodecError
from bpflab.maps.codecs import AllCpus, Prefix, make_codec
from bpflab.maps.codecs.base import UNFIT
from bpflab.maps.codecs.choose import make_prefix_codec
from bpflab.maps.codecs.percpu import PerCpuCodec
from bpflab.testing.strategies import codec_names
from bpflab.testing.values import values_of

ORDERS = st.sampled_from(["little", "big"])


@given(st.data(), codec_names(), ORDERS)
def test_what_a_codec_packs_it_unpacks_again(data: st.DataObject, name: str, order: ByteOrder) -> None:
    codec = make_codec(name, byteorder=order)
    value = data.draw(values_of(codec))
    packed = codec.pack(value)
    assert len(packed) == codec.size
    assert codec.unpack(packed) == value


@given(st.data(), codec_names(), ORDERS)
def test_a_cell_holds_the_same_bytes_as_pack(data: st.DataObject, name: str, order: ByteOrder) -> None:
    codec = make_codec(name, byteorder=order)
    value = data.draw(values_of(codec))
    cell, address = codec.cell()
    cell[0] = value
    assert ctypes.string_at(address, codec.size) == codec.pack(value)
    assert cell[0] == value


@given(st.data(), codec_names(), ORDERS)
def test_many_values_are_packed_and_unpacked_as_each_of_them(data: st.DataObject, name: str, order: ByteOrder) -> None:
    codec = make_codec(name, byteorder=order)
    values = data.draw(st.lists(values_of(codec), max_size=5))
    packed = codec.pack_many(values)
    assert bytes(packed) == b"".join(codec.pack(value) for value in values)
    assert list(codec.unpack_many(packed)) == values


@given(st.data(), st.sampled_from(["ipv4", "ipv6", 5, 8, 12]), ORDERS)
def test_prefixes_come_back(data: st.DataObject, key: object, order: ByteOrder) -> None:
    codec = make_prefix_codec(key, byteorder=order)
    prefix = data.draw(values_of(codec))
    assert codec.unpack(codec.pack(prefix)) == prefix


@given(st.data(), codec_names(largest=9), st.integers(1, 5))
def test_values_per_cpu_come_back_each_at_a_multiple_of_eight_bytes(data: st.DataObject, name: str, cpus: int) -> None:
    element = make_codec(name)
    codec = PerCpuCodec(element, cpus)
    values = data.draw(values_of(codec))
    packed = codec.pack(values)
    assert codec.unpack(packed) == values
    assert [packed[at : at + element.size] for at in range(0, len(packed), codec.stride)] == [
        element.pack(value) for value in values
    ]
    assert codec.stride % 8 == 0


@given(st.integers(), st.sampled_from(["u8", "s8", "u16", "be16", "s32", "sbe32", "u64", "le64", "s64", "u128"]))
def test_an_integer_is_packed_or_refused_by_its_width_and_sign(value: int, name: str) -> None:
    codec = make_codec(name)
    bits = codec.size * 8
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if name.startswith("s") else (0, (1 << bits) - 1)
    cell, _ = codec.cell()
    if low <= value <= high:
        cell[0] = value
        assert codec.unpack(codec.pack(value)) == value == cell[0]
        return
    with pytest.raises(CodecError, match=f"{value} does not fit .*expected an integer from {low} to {high}"):
        codec.pack(value)
    with pytest.raises(UNFIT):
        cell[0] = value
    with pytest.raises(CodecError, match=f"{value} does not fit"):
        codec.pack_many([low, value]) if codec.size < 16 else codec.pack(value)


@pytest.mark.parametrize(
    ("name", "value", "packed"),
    [
        ("be16", 80, b"\x00\x50"),
        ("le16", 80, b"\x50\x00"),
        ("sbe32", -2, b"\xff\xff\xff\xfe"),
        ("u32", 1, (1).to_bytes(4, sys.byteorder)),
        ("ipv4", "192.0.2.1", b"\xc0\x00\x02\x01"),
        ("ipv6", "2001:db8::1", bytes.fromhex("20010db8000000000000000000000001")),
        ("mac", "02-00-00-00-AB-01", bytes.fromhex("02000000ab01")),
        ("char[4]", "ab", b"ab\0\0"),
        (3, b"abc", b"abc"),
        (">HB", (1, 2), b"\0\1\2"),
        ("<I", 1, b"\1\0\0\0"),
    ],
)
def test_bytes_stand_where_the_name_says(name: object, value: object, packed: bytes) -> None:
    assert make_codec(name).pack(value) == packed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("u32", "1"),
        ("u32", 1.0),
        ("be32", None),
        ("ipv4", "192.0.2"),
        ("ipv4", b"12345"),
        ("ipv6", "192.0.2.1"),
        ("mac", "02:00:00:00:00"),
        ("mac", "02:00-00:00:00:01"),
        ("mac", 5),
        (4, b"abc"),
        (4, "abcd"),
        ("char[4]", "abcde"),
        ("char[4]", "a\0b"),
        ("char[4]", 7),
        (">HB", (1,)),
        (">HB", (1, 256)),
        (">HB", 5),
        (ctypes.c_uint16, 65536),
        (ctypes.c_uint16, "x"),
    ],
)
def test_a_value_that_does_not_fit_is_a_codec_error(name: object, value: object) -> None:
    codec = make_codec(name)
    with pytest.raises(CodecError):
        codec.pack(value)
    cell, _ = codec.cell()
    with pytest.raises(UNFIT):
        cell[0] = value


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("ipv4", "10.1.2.3/8", "did you mean '10.0.0.0/8'"),
        ("ipv4", "2001:db8::/32", "expected a network such as '10.0.0.0/8'"),
        ("ipv6", 7, "expected a network such as '2001:db8::/32'"),
        (8, (33, b"abcd"), "prefix length .0 to 32 bits. and 4 bytes"),
        (8, (8, b"abc"), "and 4 bytes"),
        (8, "10.0.0.0/8", "pair of prefix length"),
    ],
)
def test_a_prefix_that_does_not_fit_says_what_would(key: object, value: object, hint: str) -> None:
    with pytest.raises(CodecError, match=hint):
        make_prefix_codec(key).pack(value)


def test_an_address_as_a_prefix_has_its_full_length() -> None:
    assert make_prefix_codec("ipv4", byteorder="little").pack("10.0.0.1") == b"\x20\0\0\0\x0a\0\0\1"
    assert make_prefix_codec(6, byteorder="big").pack(Prefix(9, b"ab")) == b"\0\0\0\x09ab"


@pytest.mark.parametrize("given_name", ["u31", "", "int", "bytes[x]", -1, None, 1.5, "struct flow", "<y", object()])
def test_a_name_of_no_codec_is_answered_with_those_there_are(given_name: object) -> None:
    with pytest.raises(ArgumentError, match=r"expected|no format of the struct module"):
        make_codec(given_name)


class Point(ctypes.Structure):
    _fields_ = (("x", ctypes.c_uint16), ("y", ctypes.c_int32))


def test_a_ctypes_structure_is_packed_from_an_instance_fields_or_a_sequence() -> None:
    codec = make_codec(Point)
    assert codec.pack(Point(1, -1)) == codec.pack({"x": 1, "y": -1}) == codec.pack((1, -1))
    back = codec.unpack(codec.pack(Point(1, -1)))
    assert (back.x, back.y) == (1, -1)


@pytest.mark.parametrize("value", [{"x": 65536}, {"z": 1}, (1,), (1, 2, 3), {"x": "a"}, 5])
def test_a_ctypes_structure_refuses_what_ctypes_would_cut(value: object) -> None:
    with pytest.raises(CodecError):
        make_codec(Point).pack(value)


class Celsius:
    size = 2

    def pack(self, value: float) -> bytes:
        return round(value * 10).to_bytes(2, "little", signed=True)

    def unpack(self, data: bytes) -> float:
        return int.from_bytes(data, "little", signed=True) / 10


def test_a_users_own_codec_needs_size_pack_and_unpack_only() -> None:
    codec = make_codec(Celsius())
    assert codec.unpack(codec.pack(-12.5)) == -12.5
    with pytest.raises(CodecError, match="1000000"):
        codec.pack(1000000.0)


class Short(Celsius):
    def pack(self, value: float) -> bytes:
        return super().pack(value)[:1]


def test_a_users_codec_that_gives_too_few_bytes_is_told_so() -> None:
    with pytest.raises(CodecError, match="gave 1 bytes; its size is 2"):
        make_codec(Short()).pack(1.0)


def test_one_value_goes_to_all_cpus_only_when_asked_for() -> None:
    codec = PerCpuCodec(make_codec("u64"), 3)
    assert codec.unpack(codec.pack(AllCpus(7))) == [7, 7, 7]
    wrong: tuple[Any, ...] = (7, [7], [7] * 4, "777", b"777", {0: 7, 1: 7, 2: 7})
    for refused in wrong:
        with pytest.raises(CodecError, match="3"):
            codec.pack(refused)
