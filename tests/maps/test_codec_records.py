from __future__ import annotations

import ctypes
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.btf import IntEncoding
from bpflab.abi.layout import ByteOrder
from bpflab.errors import ArgumentError, BtfError, CodecError
from bpflab.maps.codecs import make_codec
from bpflab.maps.codecs.btf import EnumValue, codec_by_id, codec_by_name
from bpflab.maps.codecs.records import Record
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.testing.values import values_of

U8, U32, S32, U64, CHAR, BOOL = 1, 2, 3, 4, 5, 6
BASE: list[t.BtfType] = [
    t.Int(name="unsigned char", size=1, bits=8),
    t.Int(name="unsigned int", size=4, bits=32),
    t.Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED),
    t.Int(name="unsigned long", size=8, bits=64),
    t.Int(name="char", size=1, bits=8, encoding=IntEncoding.SIGNED),
    t.Int(name="_Bool", size=1, bits=8, encoding=IntEncoding.BOOL),
]


def build(*types: t.BtfType, byteorder: ByteOrder = sys.byteorder) -> Btf:
    return Btf.build([*BASE, *types], byteorder)


ACTION = t.Enum(name="action", size=4, values=(t.EnumValue("PASS", 0), t.EnumValue("DROP", 1)))
FLOW = build(
    ACTION,
    t.Array(type_id=CHAR, index_type_id=U32, length=8),
    t.Array(type_id=U8, index_type_id=U32, length=6),
    t.Array(type_id=U32, index_type_id=U32, length=2),
    t.Struct(name="counts", size=16, members=(t.Member("packets", U64, 0), t.Member("bytes", U64, 64))),
    t.Union(name="", size=4, members=(t.Member("address", U32, 0), t.Member("octets", 13, 0))),
    t.Array(type_id=U8, index_type_id=U32, length=4),
    t.Struct(
        name="flow",
        size=56,
        members=(
            t.Member("name", 8, 0),
            t.Member("mac", 9, 64),
            t.Member("seen", BOOL, 112),
            t.Member("action", 7, 128),
            t.Member("ports", 10, 160),
            t.Member("", 12, 224),
            t.Member("counts", 11, 256),
            t.Member("next", 15, 384),
        ),
    ),
    t.Pointer(type_id=14),
    t.Typedef(name="flow_t", type_id=14),
)
WHOLE = {
    "name": "ssh",
    "mac": b"\2\0\0\0\0\1",
    "seen": True,
    "action": "DROP",
    "ports": (1024, 22),
    "address": 0x01020304,
    "counts": {"packets": 3, "bytes": 180},
}


def test_a_struct_is_a_record_whose_fields_have_names() -> None:
    codec = make_codec("struct flow", btf=FLOW)
    flow = codec.unpack(codec.pack(WHOLE))
    assert (flow.name, flow.mac, flow.seen, flow.ports) == ("ssh", b"\2\0\0\0\0\1", True, (1024, 22))
    assert flow.counts.packets == flow["counts"]["packets"] == 3
    assert flow.next == 0
    assert isinstance(flow.action, EnumValue)
    assert (flow.action, flow.action.name, repr(flow.action)) == (1, "DROP", "DROP (1)")


def test_a_record_prints_its_fields() -> None:
    codec = codec_by_name(FLOW, "struct counts")
    assert repr(codec.unpack(codec.pack({"packets": 3}))) == "struct counts(packets=3, bytes=0)"


def test_members_of_an_anonymous_union_share_their_bytes() -> None:
    codec = make_codec("flow", btf=FLOW)
    octets = (0x01020304).to_bytes(4, sys.byteorder)
    assert codec.unpack(codec.pack({"octets": octets})).address == 0x01020304
    with pytest.raises(CodecError, match="address and octets share bytes"):
        codec.pack({"address": 1, "octets": octets})


def test_records_are_equal_by_their_fields_and_to_mappings() -> None:
    codec = codec_by_name(FLOW, "struct counts")
    three = codec.unpack(codec.pack({"packets": 3, "bytes": 180}))
    assert three == codec.unpack(codec.pack((3, 180))) == {"packets": 3, "bytes": 180}
    assert three != {"packets": 3}
    assert three != codec.unpack(bytes(16))
    assert {three: 1}[codec.unpack(codec.pack((3, 180)))] == 1
    assert dict(three) == three.to_dict() == {"packets": 3, "bytes": 180}


def test_replace_changes_a_copy() -> None:
    codec = codec_by_name(FLOW, "flow_t")
    flow = codec.unpack(codec.pack(WHOLE))
    changed = flow.replace(seen=False, address=7)
    assert (changed.seen, changed.address, changed.name, flow.seen) == (False, 7, "ssh", True)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"nme": "x"}, "no field 'nme'; did you mean name"),
        ({"ports": (1,)}, r"flow.ports: unsigned int\[2\] takes 2 values; 1 were given"),
        ({"ports": (1, -1)}, "flow.ports: -1 does not fit unsigned int"),
        ({"action": "ALLOW"}, "flow.action: 'ALLOW' does not fit enum action .*PASS, DROP"),
        ({"counts": {"packets": 2**64}}, "flow.counts: struct counts.packets: 18446744073709551616 does not fit"),
        ({"name": "too long a name"}, "flow.name: 'too long a name' does not fit char"),
        ({"seen": 2}, "flow.seen: 2 does not fit bool"),
        ((1, 2), r"has 9 fields .*2 values were given"),
        (b"short", "56 bytes; 5 were given"),
        (17, "expected a record, or a mapping of its fields"),
    ],
)
def test_what_does_not_fit_is_named_by_its_field(wrong: object, hint: str) -> None:
    with pytest.raises(CodecError, match=hint):
        make_codec("struct flow", btf=FLOW).pack(wrong)


def test_a_record_has_no_other_attributes() -> None:
    codec = codec_by_name(FLOW, "struct counts")
    with pytest.raises(AttributeError, match="no field 'packet'; did you mean packets"):
        codec.unpack(bytes(16)).packet  # noqa: B018 - the look is what is tested
    with pytest.raises(CodecError, match="no field 'x'"):
        codec.unpack(bytes(16))["x"]


@given(st.data())
def test_records_come_back_as_they_were(data: st.DataObject) -> None:
    codec = make_codec("struct flow", btf=FLOW)
    flow = data.draw(values_of(codec))
    assert codec.pack(flow) == bytes(flow)
    assert codec.unpack(codec.pack(flow)) == flow


class Bits(ctypes.Structure):
    _fields_ = (
        ("a", ctypes.c_uint32, 3),
        ("b", ctypes.c_int32, 7),
        ("c", ctypes.c_uint32, 1),
        ("d", ctypes.c_uint32, 21),
        ("e", ctypes.c_uint32, 32),
    )


BIT_MEMBERS = (
    t.Member("a", U32, 0, 3),
    t.Member("b", S32, 3, 7),
    t.Member("c", U32, 10, 1),
    t.Member("d", U32, 11, 21),
    t.Member("e", U32, 32),
)
BITS = build(t.Struct(name="bits", size=8, members=BIT_MEMBERS))
BIT_VALUES = st.fixed_dictionaries(
    {
        "a": st.integers(0, 7),
        "b": st.integers(-64, 63),
        "c": st.integers(0, 1),
        "d": st.integers(0, 2**21 - 1),
        "e": st.integers(0, 2**32 - 1),
    }
)


@given(BIT_VALUES)
def test_bitfields_lie_where_the_compiler_puts_them(values: dict[str, int]) -> None:
    codec = make_codec("struct bits", btf=BITS)
    assert codec.pack(values) == bytes(Bits(**values))
    assert codec.unpack(bytes(Bits(**values))) == values


@given(BIT_VALUES)
def test_bitfields_come_back_in_the_other_byte_order_too(values: dict[str, int]) -> None:
    other: ByteOrder = "big" if sys.byteorder == "little" else "little"
    codec = make_codec("struct bits", btf=build(t.Struct(name="bits", size=8, members=BIT_MEMBERS), byteorder=other))
    assert codec.unpack(codec.pack(values)) == values


def test_the_first_bitfield_of_a_big_endian_struct_is_in_the_high_bits() -> None:
    big = build(t.Struct(name="bits", size=8, members=BIT_MEMBERS), byteorder="big")
    assert make_codec("struct bits", btf=big).pack({"a": 7, "e": 1}) == b"\xe0\0\0\0\0\0\0\1"


@pytest.mark.parametrize(("field", "value"), [("a", 8), ("a", -1), ("b", 64), ("b", -65), ("c", 2)])
def test_a_bitfield_refuses_more_than_its_bits(field: str, value: int) -> None:
    with pytest.raises(CodecError, match=rf"bits.{field}: {value} does not fit"):
        make_codec("struct bits", btf=BITS).pack({field: value})


def test_a_data_section_is_a_record_of_its_variables() -> None:
    section = build(
        t.Var(name="limit", type_id=U32),
        t.Var(name="total", type_id=U64),
        t.Datasec(name=".bss", size=16, variables=(t.SectionVariable(7, 0, 4), t.SectionVariable(8, 8, 8))),
    )
    codec = codec_by_id(section, 9)
    record = codec.unpack(codec.pack({"total": 9}))
    assert isinstance(record, Record)
    assert record.to_dict() == {"limit": 0, "total": 9}


def test_integers_by_their_c_names_have_the_sign_and_order_of_the_object() -> None:
    big = build(t.Typedef(name="__s32", type_id=S32), byteorder="big")
    assert make_codec("__s32", btf=big).pack(-2) == b"\xff\xff\xff\xfe"


def test_types_without_values_and_names_that_are_not_there_are_refused() -> None:
    function = build(t.FuncProto(return_id=0), t.Func(name="f", type_id=7))
    with pytest.raises(ArgumentError, match=r"FUNC of BTF .'f'. has no values"):
        codec_by_name(function, "f")
    with pytest.raises(BtfError, match=r"no struct 'flew'\. Similar: flow"):
        codec_by_name(FLOW, "struct flew")
