"""BTF: blobs are read and written without loss, looked up by name, and malformed ones are refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.btf import BtfKind, FuncLinkage, IntEncoding, VarLinkage
from bpflab.abi.layout import ByteOrder
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.btf import KERNEL_BTF, Btf
from bpflab.obj.btf_encode import StringTable, encode

if TYPE_CHECKING:
    from collections.abc import Callable

U32 = st.integers(0, 0xFFFFFFFF)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


def _composite(cls: type[t.Composite]) -> st.SearchStrategy[t.BtfType]:
    plain = st.builds(t.Member, name=NAMES, type_id=U32, bit_offset=U32, bit_size=st.just(0))
    packed = st.builds(
        t.Member, name=NAMES, type_id=U32, bit_offset=st.integers(0, 0xFFFFFF), bit_size=st.integers(1, 255)
    )
    members = st.lists(plain, max_size=4) | st.lists(packed, max_size=4)
    return st.builds(cls, name=NAMES, size=U32, members=members.map(tuple))


@st.composite
def _enums(draw: st.DrawFn, cls: type[t.Enum], bits: int) -> t.BtfType:
    signed = draw(st.booleans())
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    values = st.lists(st.builds(t.EnumValue, name=NAMES, value=st.integers(low, high)), max_size=4).map(tuple)
    return cls(name=draw(NAMES), size=draw(U32), values=draw(values), signed=signed)


def _reference(cls: type[t.Reference]) -> st.SearchStrategy[t.BtfType]:
    return st.builds(cls, name=NAMES, type_id=U32)


TYPES: st.SearchStrategy[t.BtfType] = st.one_of(
    st.builds(
        t.Int,
        name=NAMES,
        size=U32,
        bits=st.integers(0, 255),
        offset=st.integers(0, 255),
        encoding=st.sampled_from(list(IntEncoding)),
    ),
    st.builds(t.Float, name=NAMES, size=U32),
    *[_reference(cls) for cls in (t.Pointer, t.Typedef, t.Const, t.Volatile, t.Restrict)],
    st.builds(t.TypeTag, name=NAMES, type_id=U32, attribute=st.booleans()),
    st.builds(t.Array, name=NAMES, type_id=U32, index_type_id=U32, length=U32),
    _composite(t.Struct),
    _composite(t.Union),
    _enums(t.Enum, 32),
    _enums(t.Enum64, 64),
    st.builds(t.Forward, name=NAMES, union=st.booleans()),
    st.builds(
        t.FuncProto,
        name=NAMES,
        return_id=U32,
        parameters=st.lists(st.builds(t.Parameter, name=NAMES, type_id=U32), max_size=4).map(tuple),
    ),
    st.builds(t.Func, name=NAMES, type_id=U32, linkage=st.sampled_from(FuncLinkage)),
    st.builds(t.Var, name=NAMES, type_id=U32, linkage=st.sampled_from(VarLinkage)),
    st.builds(
        t.Datasec,
        name=NAMES,
        size=U32,
        variables=st.lists(st.builds(t.SectionVariable, type_id=U32, offset=U32, size=U32), max_size=4).map(tuple),
    ),
    st.builds(
        t.DeclTag,
        name=NAMES,
        type_id=U32,
        component=st.integers(-(1 << 31), (1 << 31) - 1),
        attribute=st.booleans(),
    ),
)
ORDERS: st.SearchStrategy[ByteOrder] = st.sampled_from(["little", "big"])
SMALL = encode([t.Int(name="int", size=4, bits=32), t.Struct(name="s", size=4)], "little")


@given(st.lists(TYPES, max_size=12), ORDERS)
def test_what_is_written_is_read_back(types: list[t.BtfType], byteorder: ByteOrder) -> None:
    btf = Btf(encode(types, byteorder))
    assert [btf[each] for each in btf] == types
    assert btf.byteorder == byteorder


def test_the_strategy_covers_every_kind_there_is() -> None:
    covered = {cls.kind for cls in _leaves(t.BtfType)}
    assert covered == set(BtfKind)


def _leaves(cls: type[t.BtfType]) -> set[type[t.BtfType]]:
    below = {leaf for child in cls.__subclasses__() for leaf in _leaves(child)}
    return below | ({cls} if hasattr(cls, "kind") else set())


@given(st.lists(TYPES, max_size=8), st.lists(TYPES, max_size=8))
def test_split_btf_continues_the_ids_and_strings_of_its_base(base: list[t.BtfType], own: list[t.BtfType]) -> None:
    below = Btf(encode(base, "little"))
    strings = StringTable(b"", start=below.strings_end, base=below.strings().data)
    btf = Btf(encode(own, "little", strings), below)
    assert [btf[each] for each in btf] == base + own


@given(st.lists(TYPES, max_size=12))
def test_names_are_found_with_all_their_types(types: list[t.BtfType]) -> None:
    btf = Btf(encode(types, "little"))
    for wanted in types:
        found = btf.ids(wanted.name, wanted.kind)
        assert [btf[each] for each in found] == [
            each for each in types if each.name == wanted.name != "" and each.kind == wanted.kind
        ]


def test_a_name_shared_as_the_tail_of_a_longer_one_is_found() -> None:
    blob = bytearray(encode([t.Float(name="longdouble", size=8)], "little"))
    struct.pack_into("<I", blob, 24, 1 + len("long"))
    assert Btf(bytes(blob)).require("double") == 1


def test_strings_of_a_rebuilt_blob_keep_their_offsets() -> None:
    btf = Btf(encode([t.Int(name="a", size=4, bits=32), t.Int(name="b", size=4, bits=32)], "little"))
    rebuilt = Btf(encode([t.Int(name="c", size=4, bits=32), t.Int(name="b", size=4, bits=32)], "little", btf.strings()))
    assert [rebuilt.string(1), rebuilt.string(3), rebuilt.string(5)] == ["a", "b", "c"]


def test_a_missing_name_is_answered_with_similar_ones() -> None:
    btf = Btf.build([t.Struct(name="task_struct", size=8)])
    with pytest.raises(BtfError, match=r"no struct 'task_strukt'. Similar: task_struct"):
        btf.require("task_strukt", BtfKind.STRUCT)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda blob: blob[:10], "10 bytes are given"),
        (lambda blob: b"\1\2" + blob[2:], "magic number"),
        (lambda blob: blob[:2] + b"\7" + blob[3:], "version 7"),
        (lambda blob: blob[:-1] + b"x", "does not end with a zero"),
        (lambda blob: blob[:-1], "do not lie within"),
        (lambda blob: blob[:4] + struct.pack("<I", 99999) + blob[8:], "header of 99999 bytes"),
        (lambda blob: blob[:31] + b"\x1f" + blob[32:], "of a kind this library does not know"),
        (lambda blob: blob[:43] + b"\x04" + b"\xff\xff\x00\x04" + blob[48:], "runs past the end"),
    ],
)
def test_a_spoiled_blob_is_refused_in_words(spoil: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(BtfError, match=message):
        Btf(spoil(SMALL))


@given(st.integers(0, len(SMALL) - 1), st.integers(0, 255))
def test_no_single_byte_makes_reading_fail_otherwise_than_with_btf_error(at: int, byte: int) -> None:
    blob = bytearray(SMALL)
    blob[at] = byte
    assert _types_read(bytes(blob)) <= 2


def _types_read(blob: bytes) -> int:
    try:
        btf = Btf(blob)
        return len([btf[each] for each in btf])
    except BtfError:
        return 0


def test_an_id_past_the_last_is_refused() -> None:
    with pytest.raises(BtfError, match="there is no type 3; ids go up to 2"):
        Btf(SMALL)[3]


def test_a_number_too_large_for_its_field_is_not_written() -> None:
    with pytest.raises(BtfError, match="holds a number that its field cannot"):
        encode([t.Struct(name="s", size=1 << 32)], "little")


@pytest.mark.skipif(not KERNEL_BTF.exists(), reason="this kernel offers no BTF")
def test_the_running_kernels_btf_is_written_back_byte_for_byte() -> None:
    btf = Btf.of_kernel()
    assert encode((btf[each] for each in btf), btf.byteorder, btf.strings()) == btf.data
