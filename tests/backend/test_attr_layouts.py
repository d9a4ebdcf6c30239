"""The attr layouts say what the kernel's union says, to the byte."""

from __future__ import annotations

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.attr import LAYOUTS, LINK_CREATE_LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.info import BTF_INFO, LINK_INFO, MAP_INFO, PROG_INFO
from bpflab.abi.layout import ByteOrder, Field, Layout, Value
from bpflab.errors import ArgumentError

# Ends of the last fields, counted by hand over linux/bpf.h of Linux 7.2.
ENDS = {
    Command.MAP_CREATE: 92,
    Command.MAP_UPDATE_ELEM: 32,
    Command.MAP_DELETE_ELEM: 16,
    Command.MAP_GET_NEXT_KEY: 24,
    Command.MAP_LOOKUP_BATCH: 56,
    Command.PROG_LOAD: 168,
    Command.OBJ_PIN: 20,
    Command.PROG_ATTACH: 32,
    Command.PROG_TEST_RUN: 76,
    Command.PROG_QUERY: 64,
    Command.BTF_LOAD: 40,
    Command.TASK_FD_QUERY: 48,
}


def test_every_command_has_a_layout() -> None:
    assert set(LAYOUTS) == set(Command)


@pytest.mark.parametrize(("command", "end"), ENDS.items())
def test_a_layout_ends_where_the_kernel_stops_reading(command: Command, end: int) -> None:
    assert LAYOUTS[command].size == end


@pytest.mark.parametrize(
    ("layout", "field", "offset"),
    [
        (PROG_INFO, "netns_dev", 88),
        (PROG_INFO, "attach_btf_id", 224),
        (MAP_INFO, "netns_dev", 48),
        (MAP_INFO, "map_extra", 80),
        (BTF_INFO, "kernel_btf", 28),
        (LINK_INFO, "data", 16),
        (LINK_CREATE_LAYOUTS["relative"], "expected_revision", 24),
        (LINK_CREATE_LAYOUTS["uprobe_multi"], "path_fd", 60),
    ],
)
def test_fields_stand_where_c_aligns_them(layout: Layout, field: str, offset: int) -> None:
    assert layout.field(field).offset == offset


def values_of(field: Field) -> st.SearchStrategy[Value]:
    if field.format[-1] == "s":
        return st.binary(min_size=field.size, max_size=field.size)
    return st.integers(0, 2 ** (8 * field.size - 1) - 1)


@given(st.sampled_from(sorted(LAYOUTS)), st.data())
def test_what_is_packed_by_name_is_unpacked_by_name(command: Command, data: st.DataObject) -> None:
    layout = LAYOUTS[command]
    values: dict[str, Value] = {field.name: data.draw(values_of(field)) for field in layout.fields}
    assert layout.unpack(layout.pack(values)) == values


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_a_layout_has_the_byte_order_it_was_given(byteorder: ByteOrder) -> None:
    packed = Layout("pair", "first:I second:Q", byteorder).pack({"first": 1, "second": 2})
    assert packed == struct.pack("<I4xQ" if byteorder == "little" else ">I4xQ", 1, 2)


def test_union_members_share_their_place() -> None:
    layout = LAYOUTS[Command.MAP_UPDATE_ELEM]
    assert layout.pack({"next_key": 7}) == layout.pack({"value": 7})


@pytest.mark.parametrize(
    ("values", "said"),
    [({"map_fd": 1 << 32}, "does not fit"), ({"map_df": 1}, "its fields are map_fd"), ({"map_fd": -1}, "map_fd")],
)
def test_a_wrong_field_or_value_is_said_by_name(values: dict[str, int], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        LAYOUTS[Command.MAP_FREEZE].pack(values)


def test_default_byte_order_is_the_hosts() -> None:
    assert LAYOUTS[Command.MAP_FREEZE].pack({"map_fd": 1}) == (1).to_bytes(4, sys.byteorder)
