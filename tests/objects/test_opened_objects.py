"""What an object says may be changed before it is loaded, and its variables are read while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab import XDP, Lab
from bpflab.errors import ArgumentError, CodecError, MapTypeError, NoSuchNameError
from bpflab.objects.opened import OpenedObject

SOURCE = Path(__file__).with_name("configurable.bpf.c")
PACKET = bytes(120)


@pytest.fixture
def opened(bpf: Lab) -> OpenedObject:
    return bpf.open(SOURCE)


def test_constants_are_set_before_loading(opened: OpenedObject) -> None:
    opened.rodata.max_length = 119
    opened.rodata.mode = "DROP"
    assert opened.load().programs.measures.run(PACKET).action is XDP.DROP
    opened.rodata.max_length = 120
    assert opened.load().programs.measures.run(PACKET).action is XDP.PASS


def test_variables_are_typed_by_btf(opened: OpenedObject) -> None:
    assert (opened.data.last, opened.data.name, opened.rodata.max_length) == (-1, "first", 100)
    assert (opened.rodata.limits.soft, opened.rodata.limits.hard) == (1, 2)
    opened.rodata.limits = {"soft": 3, "hard": 4}
    assert opened.load().rodata.limits.hard == 4


def test_variables_are_read_and_written_while_the_program_is_loaded(opened: OpenedObject) -> None:
    loaded = opened.load()
    for _ in range(3):
        loaded.programs.measures.run(PACKET)
    assert (loaded.bss.counter, loaded.data.last) == (3, 120)
    loaded.bss.counter = 40
    loaded.programs.measures.run(PACKET)
    assert loaded.bss.counter == 41
    assert loaded.data["name"] == "first"


@given(value=st.integers(-(1 << 15), (1 << 15) - 1))
def test_a_variable_reads_back_as_it_was_written_and_leaves_its_neighbours(value: int) -> None:
    with Lab("sim") as lab:
        opened = lab.open(SOURCE)
        opened.data.last = value
        assert (opened.data.last, opened.data.name) == (value, "first")


def test_constants_of_a_loaded_object_cannot_be_set(opened: OpenedObject) -> None:
    loaded = opened.load()
    with pytest.raises(ArgumentError, match="set them before"):
        loaded.rodata.max_length = 1
    assert loaded.rodata.max_length == 100


def test_a_value_that_does_not_fit_is_refused(opened: OpenedObject) -> None:
    with pytest.raises(CodecError, match="70000"):
        opened.data.last = 70000


def test_a_variable_that_is_not_there_is_answered_with_near_names(opened: OpenedObject) -> None:
    with pytest.raises(NoSuchNameError, match=r"no variable 'max_lenght' in \.rodata.*max_length"):
        opened.rodata.max_lenght = 1


def test_sizes_of_maps_are_changed_before_loading(opened: OpenedObject) -> None:
    opened.maps.lengths.max_entries = 3
    assert opened.load().maps.lengths.max_entries == 3


def test_programs_are_left_out_and_taken_in(opened: OpenedObject) -> None:
    opened.drop("measures")
    opened.keep("optional")
    loaded = opened.load()
    assert list(loaded.programs) == ["optional"]
    assert loaded.programs.optional.run(PACKET).retval == 2


def test_a_programs_target_is_chosen_before_loading(opened: OpenedObject) -> None:
    opened.attach_to("measures", "tcp_connect")
    assert opened.programs.measures.attach_to == "tcp_connect"


def test_two_objects_share_a_map(bpf: Lab, opened: OpenedObject) -> None:
    first = opened.load()
    second = bpf.load(SOURCE, maps={"lengths": first.maps.lengths})
    second.programs.measures.run(PACKET)
    assert first.maps.lengths[120] == 1
    opened.reuse("lengths", first.maps.lengths)
    opened.load().programs.measures.run(bytes(64))
    assert set(first.maps.lengths) == {64, 120}


def test_a_map_of_another_kind_is_not_shared(bpf: Lab, opened: OpenedObject) -> None:
    opened.reuse("lengths", bpf.map("array", value="u64", max_entries=16, name="other"))
    with pytest.raises(MapTypeError, match="type ARRAY in the place of HASH"):
        opened.load()
    with pytest.raises(NoSuchNameError, match=r"no map 'length'.*lengths"):
        opened.reuse("length", bpf.map("array", value="u64", max_entries=16))
