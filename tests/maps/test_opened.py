from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bpflab.errors import ArgumentError, PinError, SyscallError
from bpflab.handles import pinning
from bpflab.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpflab.maps.base import Map

    Make = Callable[..., Map[Any, Any]]


@pytest.fixture
def flows(make: Make) -> Map[Any, Any]:
    made = make("hash", key="be16", value="u64", max_entries=8, name="flows")
    made[443] = 7
    return made


def test_a_pinned_map_is_opened_by_its_path(bpf: Lab, flows: Map[Any, Any]) -> None:
    path = flows.pin("flows")
    assert path == f"{bpf.pin_root}/flows"
    again = bpf.open_map(path="flows", key="be16")
    assert (again[443], again.id, again.max_entries, again.name) == (7, flows.id, 8, "flows")
    assert flows.pinned
    assert again.pinned


def test_a_pin_keeps_a_map_alive(bpf: Lab, flows: Map[Any, Any]) -> None:
    flows.pin("kept")
    flows.close()
    assert flows.exists
    assert bpf.open_map(path="kept", key="be16")[443] == 7


def test_a_map_that_nobody_holds_is_gone(flows: Map[Any, Any]) -> None:
    flows.pin("kept")
    flows.unpin()
    assert not flows.pinned
    flows.close()
    assert not flows.exists


def test_unpin_removes_the_pin_and_not_the_map(bpf: Lab, flows: Map[Any, Any]) -> None:
    flows.pin("one")
    flows.pin("other")
    flows.unpin("one")
    assert flows.pinned
    with pytest.raises(PinError, match="nothing is pinned there"):
        bpf.open_map(path="one")
    with pytest.raises(PinError, match="could not be removed"):
        flows.unpin("one")
    assert flows[443] == 7


def test_a_path_at_which_another_map_is_pinned_now_is_no_pin_of_this_one(bpf: Lab, flows: Map[Any, Any]) -> None:
    flows.pin("one")
    bpf.open_map(path="one").unpin()
    bpf.map("array", value="u32", max_entries=1).pin("one")
    assert not flows.pinned


def test_a_map_can_be_pinned_as_it_is_made(bpf: Lab) -> None:
    bpf.map("array", value="u32", max_entries=2, name="slots", pin="slots")
    assert bpf.open_map(path="slots").max_entries == 2


def test_a_path_that_is_in_use_is_refused_and_no_map_is_left(bpf: Lab, flows: Map[Any, Any]) -> None:
    flows.pin("flows")
    with pytest.raises(PinError, match=r"something is pinned there already\. Open it with open_map"):
        bpf.map("hash", key="u32", value="u64", max_entries=8, name="second", pin="flows")
    assert "second" not in bpf.maps


@pytest.mark.bpf(backend="kernel")
def test_a_path_outside_of_a_bpf_file_system_says_how_to_get_one(flows: Map[Any, Any], tmp_path: Path) -> None:
    with pytest.raises(PinError, match=r"not in a BPF file system\. Mount one \(mount -t bpf"):
        flows.pin(tmp_path / "flows")
    with pytest.raises(PinError, match="its directory does not exist"):
        flows.pin(tmp_path / "no" / "flows")


@pytest.mark.parametrize("path", ["", 5, "a\0b"])
def test_a_path_that_is_none_is_refused(flows: Map[Any, Any], path: str) -> None:
    with pytest.raises(ArgumentError, match="expected a path"):
        flows.pin(path)


def test_a_map_is_opened_by_its_number_and_by_a_descriptor(bpf: Lab, flows: Map[Any, Any]) -> None:
    by_number, by_fd = bpf.open_map(id=flows.id, key="be16"), bpf.open_map(fd=flows.fileno())
    by_number[80] = 5
    assert flows[80] == 5
    assert (by_fd.type, by_fd.shape.key.size) == (flows.type, 2)
    by_fd.close()
    assert flows[80] == 5


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"type": "array"}, "has type HASH; ARRAY was expected"),
        ({"max_entries": 9}, "has max_entries 8; 9 was expected"),
        ({"key": "u64"}, "has key_size 2; 8 was expected"),
        ({"value": "u32"}, "has value_size 8; 4 was expected"),
    ],
)
def test_type_and_sizes_are_held_against_the_map(
    bpf: Lab, flows: Map[Any, Any], wanted: dict[str, Any], text: str
) -> None:
    with pytest.raises(ArgumentError, match=f"'flows'.*{text}"):
        bpf.open_map(id=flows.id, **wanted)


def test_a_pin_of_another_type_is_a_pin_error(bpf: Lab, flows: Map[Any, Any]) -> None:
    path = flows.pin("flows")
    with pytest.raises(PinError, match=f"pinned at {path} .*has type HASH; QUEUE was expected"):
        bpf.open_map(path="flows", type="queue")


def test_what_is_pinned_and_no_map_is_a_pin_error(bpf: Lab) -> None:
    code = bytes.fromhex("b7000000020000009500000000000000")
    program = bpf.program(code, type="xdp")
    pinning.pin(bpf, program.fileno(), pinning.pin_path(bpf, "program"))
    with pytest.raises(PinError, match="is no map"):
        bpf.open_map(path="program")


@pytest.mark.parametrize("given", [{}, {"id": 1, "fd": 1}, {"path": "x", "id": 1}])
def test_exactly_one_way_to_the_map_is_given(bpf: Lab, given: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="Exactly one of path, id and fd"):
        bpf.open_map(**given)


def test_a_number_and_a_descriptor_of_no_map_are_errors(bpf: Lab) -> None:
    with pytest.raises(SyscallError, match="No map has this id"):
        bpf.open_map(id=2**31 - 5)
    with pytest.raises(ArgumentError, match="is not open"):
        bpf.open_map(fd=999_999_999)


def test_maps_that_are_opened_get_codecs_of_their_sizes(bpf: Lab, make: Make) -> None:
    for arguments, key, value in (
        ({"type": "hash", "key": "ipv6", "value": 3, "max_entries": 1}, "bytes of 16", "bytes of 3"),
        ({"type": "lpm_trie", "key": "ipv4", "value": "s16", "max_entries": 1}, "ipv4 network", "u16"),
        ({"type": "percpu_array", "value": "s32", "max_entries": 1}, "u32", "u32"),
        ({"type": "stack_trace", "value": 80, "max_entries": 1}, "u32", "stack trace"),
    ):
        opened = bpf.open_map(fd=make(**arguments).fileno())
        assert (opened.shape.key.name, opened.shape.element.name) == (key, value)


def test_maps_of_one_lab_are_opened_in_another(bpf_backend: str) -> None:
    if bpf_backend != "kernel":
        pytest.skip("each simulated kernel has maps of its own")
    with Lab(bpf_backend) as one, Lab(bpf_backend) as other:
        made = one.map("array", value="u32", max_entries=1)
        other.open_map(id=made.id)[0] = 5
        assert made[0] == 5
