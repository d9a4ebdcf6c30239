"""What a mock answers to what nobody scripted."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

import pytest

from bpflab import Lab, UpdateFlag
from bpflab.backend.mock import MockBackend
from bpflab.errors import MapFullError, MapKeyError, MapKeyExistsError, NotPermittedError, UnscriptedCallError

PASS = "r0 = 2\nexit"


@pytest.fixture
def mock() -> MockBackend:
    return MockBackend()


@pytest.fixture(params=["mock", "sim"])
def either(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A Lab on a mock, and one on the simulated kernel: a mock's maps answer as its maps do."""
    with Lab(request.param) as lab:
        yield lab


def test_a_lab_is_opened_on_a_mock_by_name() -> None:
    with Lab("mock") as lab:
        assert isinstance(lab.backend, MockBackend)


def test_descriptors_and_numbers_are_fresh(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        made = [lab.map("array", value="u32", max_entries=1) for _ in range(3)]
        program = lab.program(PASS)
        assert mock.open_fds == [1000, 1001, 1002, 1003]
        assert ([each.id for each in made], program.id) == ([1, 2, 3], 1)
    assert mock.open_fds == []


def test_what_was_created_is_described_as_it_was_created(either: Lab) -> None:
    made = either.map("hash", key="u32", value="u64", max_entries=7, name="ports")
    info = made.info
    assert (info.type.name, info.key_size, info.value_size, info.max_entries, info.name) == ("HASH", 4, 8, 7, "ports")
    assert either.program(PASS, name="gate").info.name == "gate"


def test_elements_are_remembered(either: Lab) -> None:
    ports = either.map("hash", key="u32", value="u32", max_entries=2)
    ports.update({1: 10, 2: 20})
    assert sorted(ports.items()) == [(1, 10), (2, 20)]
    with pytest.raises(MapFullError):
        ports[3] = 30
    del ports[1]
    with pytest.raises(MapKeyError):
        ports[1]
    assert not ports.update(1, 0, flags=UpdateFlag.EXIST)
    assert not ports.update(2, 0, flags=UpdateFlag.NOEXIST)
    assert dict(ports.items()) == {2: 20}


def test_an_array_is_full_of_zeros(either: Lab) -> None:
    counts = either.map("array", value="u32", max_entries=3)
    counts[1] = 5
    assert dict(counts.items()) == {0: 0, 1: 5, 2: 0}


def test_a_per_cpu_value_has_one_for_each_possible_cpu(either: Lab) -> None:
    counts = either.map("percpu_array", value="u32", max_entries=1)
    counts[0] = list(range(either.backend.possible_cpus))
    assert list(counts[0]) == list(range(either.backend.possible_cpus))


@pytest.mark.parametrize(("kind", "order"), [("queue", [1, 2]), ("stack", [2, 1])])
def test_queues_and_stacks_keep_their_order(either: Lab, kind: str, order: list[int]) -> None:
    line = either.map(kind, value="u32", max_entries=4)
    line.push(1)
    line.push(2)
    assert [line.pop(), line.pop()] == order


def test_pins_are_found_by_their_path(either: Lab) -> None:
    either.map("array", value="u32", max_entries=1, name="kept", pin="kept")[0] = 3
    again = either.open_map(path="kept", value="u32")
    assert again[0] == 3
    again.unpin("kept")
    assert not again.pinned


def test_a_program_answers_zero_and_the_packet_as_it_came(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        result = lab.program(PASS).run(b"just as it came in")
    assert (result.retval, result.data) == (0, b"just as it came in")


def test_who_waits_for_ever_is_told_that_nothing_happens(mock: MockBackend) -> None:
    with pytest.raises(UnscriptedCallError, match=re.escape("script mock.on('poll').answers(ready=[fd])")):
        mock.poll([3], None)


def test_a_closed_descriptor_is_refused(mock: MockBackend) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the errno is the point
        mock.close(1000)
    assert caught.value.errno == errno.EBADF


def test_frozen_maps_are_not_written(either: Lab) -> None:
    counts = either.map("array", value="u32", max_entries=1)
    counts.freeze()
    with pytest.raises(NotPermittedError, match="frozen"):
        counts[0] = 1


def test_exists_means_that_somebody_holds_it(either: Lab) -> None:
    made = either.map("array", value="u32", max_entries=1)
    made.close()
    assert not made.exists


def test_an_update_that_must_not_exist_is_refused_in_a_batch(either: Lab) -> None:
    ports = either.map("hash", key="u32", value="u32", max_entries=4)
    ports[1] = 1
    with pytest.raises(MapKeyExistsError):
        ports.update_batch({2: 2, 1: 1}, flags=UpdateFlag.NOEXIST)
    assert sorted(ports) == [1, 2]
