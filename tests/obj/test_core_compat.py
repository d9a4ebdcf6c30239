"""When a program's type and a kernel's count as the same."""

from __future__ import annotations

import pytest

from bpflab.abi.btf import IntEncoding
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.core_compat import Pair, essential_name, fields_compatible, types_compatible
from bpflab.obj.core_match import types_match


@pytest.mark.parametrize(
    ("name", "essential"),
    [
        ("task_struct", "task_struct"),
        ("task_struct___old", "task_struct"),
        ("a___b___c", "a___b"),
        ("a____b", "a____b"),
        ("___b", "___b"),
        ("a___", "a___"),
        ("", ""),
    ],
)
def test_a_flavour_stands_behind_three_underscores(name: str, essential: str) -> None:
    assert essential_name(name) == essential


INT = t.Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED)
UINT = t.Int(name="unsigned int", size=4, bits=32)
LONG = t.Int(name="int", size=8, bits=64, encoding=IntEncoding.SIGNED)
OLD_BITS = t.Int(name="int", size=4, bits=3, offset=2)
PTR, STRUCT, UNION = t.Pointer(type_id=1), t.Struct(name="s", size=4), t.Union(name="s", size=4)
ONE = t.Struct(name="s", size=4, members=(t.Member("a", 1, 0),))
TWO = t.Struct(name="s", size=8, members=(t.Member("b", 1, 0), t.Member("a", 1, 32)))
ENUM, ENUM64 = t.Enum(name="e", size=4), t.Enum64(name="e", size=4)
NAMELESS, OTHER = t.Enum(size=4), t.Enum(name="f", size=4)
PROTO0, PROTO1 = t.FuncProto(return_id=1), t.FuncProto(return_id=1, parameters=(t.Parameter("x", 1),))
ARRAY, LONGER = (t.Array(type_id=1, index_type_id=1, length=n) for n in (2, 3))
FLOAT = t.Float(name="float", size=4)
FWD, FWD_UNION = t.Forward(name="s"), t.Forward(name="s", union=True)
LOOP = t.Typedef(name="loop", type_id=2)


def pair(local: t.BtfType, target: t.BtfType, first: t.BtfType = INT) -> tuple[Pair, int, int]:
    """Give two BTFs whose type 2 is what is compared, and type 1 what it refers to."""
    return Pair(Btf.build([INT, local]), Btf.build([first, target])), 2, 2


@pytest.mark.parametrize(
    ("local", "target", "field", "outside", "inside"),
    [
        (INT, INT, True, True, True),
        (INT, UINT, True, True, False),
        (INT, LONG, True, True, False),
        (INT, OLD_BITS, False, False, False),
        (INT, PTR, False, False, False),
        (PTR, PTR, True, True, True),
        (STRUCT, STRUCT, True, True, True),
        (STRUCT, UNION, True, False, False),
        (ONE, TWO, True, True, True),
        (TWO, ONE, True, True, False),
        (ENUM, ENUM64, True, True, True),
        (ENUM, OTHER, False, True, False),
        (NAMELESS, OTHER, True, True, False),
        (ARRAY, ARRAY, True, True, True),
        (ARRAY, LONGER, True, True, False),
        (FLOAT, FLOAT, True, False, False),
        (FWD, FWD, True, True, True),
        (FWD, FWD_UNION, True, True, False),
        (FWD, STRUCT, False, False, False),
        (PROTO0, PROTO0, False, True, True),
        (PROTO0, PROTO1, False, False, False),
    ],
)
def test_three_measures_of_likeness(
    local: t.BtfType, target: t.BtfType, field: bool, outside: bool, inside: bool
) -> None:
    assert fields_compatible(*pair(local, target)) is field
    assert types_compatible(*pair(local, target)) is outside
    assert types_match(*pair(local, target)) is inside


@pytest.mark.parametrize(("local", "target"), [(STRUCT, FWD), (FWD, STRUCT), (FWD_UNION, UNION), (ONE, STRUCT)])
def test_behind_a_pointer_only_names_have_to_match(local: t.BtfType, target: t.BtfType) -> None:
    both = Pair(Btf.build([local, PTR]), Btf.build([target, PTR]))
    assert types_match(both, 2, 2)


@pytest.mark.parametrize(("local", "target"), [(STRUCT, FWD_UNION), (UNION, STRUCT), (STRUCT, ENUM)])
def test_behind_a_pointer_a_struct_is_no_union(local: t.BtfType, target: t.BtfType) -> None:
    both = Pair(Btf.build([local, PTR]), Btf.build([target, PTR]))
    assert not types_match(both, 2, 2)


def test_void_matches_nothing_but_void() -> None:
    local, target = Btf.build([t.Pointer(type_id=0)]), Btf.build([t.Pointer(type_id=2), NAMELESS])
    assert types_match(Pair(local, local), 1, 1)
    assert not types_match(Pair(local, target), 1, 1)
    assert not types_match(Pair(target, local), 1, 1)


def test_an_enum_matches_if_the_kernels_has_all_its_names() -> None:
    few = t.Enum(name="e", size=4, values=(t.EnumValue("A___x", 1),))
    many = t.Enum(name="e", size=4, values=(t.EnumValue("B", 0), t.EnumValue("A", 9)))
    assert types_match(*pair(few, many))
    assert not types_match(*pair(many, few))
