"""The layout of BTF types: sizes, alignments and fields are those C gives."""

from __future__ import annotations

import pytest

from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.btf_layout import align_of, field, fields, resolve, size_of

INT, LONG, NAME, INNER, OUTER, PACKED, FLAGS, ROW = range(1, 9)
PTR, CONST, ALIAS, OLD, OLD_FLAGS, LOOP, PROTO = range(9, 16)
BTF = Btf.build(
    [
        t.Int(name="int", size=4, bits=32),
        t.Int(name="long", size=8, bits=64),
        t.Array(type_id=INT, index_type_id=INT, length=3),
        t.Union(size=8, members=(t.Member("word", INT, 0), t.Member("whole", LONG, 0))),
        t.Struct(name="outer", size=24, members=(t.Member("a", NAME, 0), t.Member("", INNER, 128))),
        t.Struct(name="packed", size=12, members=(t.Member("x", INT, 0), t.Member("y", LONG, 32))),
        t.Struct(name="flags", size=4, members=(t.Member("low", INT, 0, 3), t.Member("high", INT, 3, 29))),
        t.Array(type_id=NAME, index_type_id=INT, length=5),
        t.Pointer(type_id=0),
        t.Const(type_id=OUTER),
        t.Typedef(name="outer_t", type_id=CONST),
        t.Int(name="old", size=4, bits=5, offset=2),
        t.Struct(name="old_flags", size=4, members=(t.Member("bits", OLD, 8),)),
        t.Typedef(name="loop", type_id=LOOP),
        t.FuncProto(return_id=0),
    ]
)


@pytest.mark.parametrize(
    ("type_id", "size", "align"),
    [
        (INT, 4, 4),
        (LONG, 8, 8),
        (NAME, 12, 4),
        (OUTER, 24, 8),
        (PACKED, 12, 1),
        (ROW, 60, 4),
        (PTR, 8, 8),
        (ALIAS, 24, 8),
    ],
)
def test_a_type_has_the_size_and_alignment_of_c(type_id: int, size: int, align: int) -> None:
    assert (size_of(BTF, type_id), align_of(BTF, type_id)) == (size, align)


@pytest.mark.parametrize(("name", "size"), [("long", 4), ("long unsigned int", 4), ("long", 8), ("int", 8)])
def test_the_type_long_tells_the_size_of_pointers(name: str, size: int) -> None:
    width = 4 if name == "int" else size
    btf = Btf.build([t.Int(name=name, size=width, bits=8 * width), t.Pointer(type_id=1)])
    assert (size_of(btf, 2), align_of(btf, 2)) == (size, size)


def test_aliases_lead_to_the_type_they_stand_for() -> None:
    assert resolve(BTF, ALIAS) == OUTER


def test_fields_of_anonymous_members_belong_to_the_outer_struct() -> None:
    found = [(each.name, each.offset, each.bit_size) for each in fields(BTF, ALIAS)]
    assert found == [("a", 0, 96), ("word", 16, 32), ("whole", 16, 64)]


def test_bitfields_have_their_place_in_bits() -> None:
    assert [(each.bit_offset, each.bit_size, each.bitfield) for each in fields(BTF, FLAGS)] == [
        (0, 3, True),
        (3, 29, True),
    ]


def test_a_bitfield_of_an_integer_with_its_own_bits_is_one_too() -> None:
    assert [(each.bit_offset, each.bit_size, each.bitfield) for each in fields(BTF, OLD_FLAGS)] == [(10, 5, True)]


def test_a_path_of_names_goes_through_nested_structs() -> None:
    btf = Btf.build(
        [
            t.Int(name="int", size=4, bits=32),
            t.Struct(name="in", size=8, members=(t.Member("x", 1, 0), t.Member("y", 1, 32))),
            t.Struct(name="out", size=12, members=(t.Member("pad", 1, 0), t.Member("in", 2, 32))),
        ]
    )
    assert field(btf, 3, "in.y").offset == 8


def test_a_missing_field_is_answered_with_those_there_are() -> None:
    with pytest.raises(BtfError, match="outer has no field 'b'; it has a, word, whole"):
        field(BTF, OUTER, "b")


@pytest.mark.parametrize(("type_id", "message"), [(LOOP, "for itself"), (PROTO, "has no size"), (0, "no size")])
def test_what_has_no_size_is_refused(type_id: int, message: str) -> None:
    with pytest.raises(BtfError, match=message):
        size_of(BTF, type_id)
