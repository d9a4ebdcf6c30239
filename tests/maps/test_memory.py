from __future__ import annotations

import mmap
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpflab.abi.flags import MapFlag
from bpflab.errors import ArgumentError, MapBusyError, MapTypeError
from bpflab.maps.batch_call import RawBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.lab import Lab
    from bpflab.maps.base import Map

    Make = Callable[..., Map[Any, Any]]


@pytest.fixture
def shared(make: Make) -> Map[Any, Any]:
    return make("array", value="u32", max_entries=5, flags=MapFlag.MMAPABLE, name="shared")


def test_memory_and_map_are_the_same(shared: Map[Any, Any]) -> None:
    view = shared.memory()
    shared[3] = 0x01020304
    assert view[3 * 8 : 3 * 8 + 4].cast("I")[0] == 0x01020304
    view.cast("I")[2] = 7
    assert shared[1] == 7
    assert len(view) == 5 * 8


def test_memory_as_numpy_has_an_element_for_each_value(shared: Map[Any, Any]) -> None:
    numpy = pytest.importorskip("numpy")
    array = shared.numpy()
    array[:] = [1, 2, 3, 4, 5]
    assert list(shared.values()) == [1, 2, 3, 4, 5]
    assert (array.dtype, array.strides) == (numpy.dtype("u4"), (8,))
    assert shared.numpy("i4")[0] == 1
    with pytest.raises(ArgumentError, match="dtype float64 has 8 bytes; values of the ARRAY map 'shared' have 4"):
        shared.numpy("f8")


def test_an_array_that_was_not_made_for_it_says_how_to(make: Make) -> None:
    with pytest.raises(MapTypeError, match=r"ARRAY map cannot be mapped; create it with flags=MapFlag\.MMAPABLE"):
        make("array", value="u32", max_entries=5).memory()


def test_memory_that_is_in_use_survives_its_map(shared: Map[Any, Any]) -> None:
    part = shared.memory()[:4]
    shared[0] = 5
    shared.close()
    assert bytes(part)[0] == 5 or bytes(part)[3] == 5


def test_memory_that_is_not_in_use_goes_with_its_map(shared: Map[Any, Any]) -> None:
    view = shared.memory()
    shared.close()
    with pytest.raises(ValueError, match="released"):
        view[0]


def test_a_map_that_is_mapped_for_writing_cannot_be_frozen(shared: Map[Any, Any]) -> None:
    shared.memory()
    with pytest.raises(MapBusyError, match="shared"):
        shared.freeze()


def test_a_frozen_map_is_mapped_for_reading_only(shared: Map[Any, Any]) -> None:
    shared[0] = 9
    shared.freeze()
    with pytest.raises(ArgumentError, match="could not be mapped"):
        shared.memory()
    view = shared.memory(writable=False)
    assert view.readonly
    assert view[:4].cast("I")[0] == 9


def test_an_arena_is_shared_pages(make: Make) -> None:
    arena = make("arena", max_entries=4)
    view = arena.memory()
    view[4096] = 3
    assert (len(view), arena.memory()[4096]) == (4 * 4096, 3)


@pytest.mark.bpf(backend="kernel")
def test_walking_over_a_million_entries_takes_little_memory(bpf: Lab) -> None:
    many = bpf.map("hash", key="u32", value="u64", max_entries=1_000_000)
    numbers = range(1_000_000)
    keys, values = (memoryview(array(code, numbers)).cast("B") for code in "IQ")
    many.update_raw(RawBatch(len(numbers), keys, values))
    start = resident()
    largest, total = start, 0
    for total, _ in enumerate(many.items(), 1):
        if total % 20_000 == 0:
            largest = max(largest, resident())
    assert total == 1_000_000
    assert largest - start < 20_000_000


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE
