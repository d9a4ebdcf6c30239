"""Mapped memory is shared, has the running kernel's layout, and is refused where the running kernel refuses it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.backend import SimBackend
from bpflab.sim.maps.array import ArrayMap

Make = Callable[..., tuple[int, int]]
Made = Callable[..., tuple[int, Any]]
PAGE = 4096


@pytest.mark.parametrize(
    ("map_type", "shape"),
    [
        (MapType.ARRAY, (4, 8, 600, MapFlag.MMAPABLE)),
        (MapType.ARRAY, (4, 8, 600, MapFlag.MMAPABLE | MapFlag.RDONLY_PROG)),
        (MapType.ARRAY, (4, 8, 600, MapFlag.MMAPABLE | MapFlag.RDONLY)),
        (MapType.ARRAY, (4, 8, 600, 0)),
        (MapType.HASH, (4, 8, 600, 0)),
        (MapType.RINGBUF, (0, 0, PAGE, 0)),
        (MapType.USER_RINGBUF, (0, 0, PAGE, 0)),
    ],
)
def test_a_mapping_is_made_or_refused_as_by_the_kernel(
    both: Any, make: Make, map_type: MapType, shape: tuple[int, ...]
) -> None:
    fds = make(map_type, *shape)
    for pages, offset in ((1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (9, 0), (1, 9)):
        for writable in (False, True):
            answers = []
            for backend, fd in zip(both.backends, fds, strict=True):
                answers.append(try_map(backend, fd, pages * PAGE, offset * PAGE, writable=writable))
            assert answers[1] == answers[0], f"{pages} pages from {offset}, writable {writable}"


def try_map(backend: Any, fd: int, length: int, offset: int, *, writable: bool) -> int:
    try:
        backend.mmap(fd, length, writable=writable, offset=offset).close()
    except OSError as error:
        return error.errno or 0
    return 0


def test_an_array_and_its_mapping_are_the_same_memory(both: Any, make: Make) -> None:
    array = make(MapType.ARRAY, 4, 8, 600, MapFlag.MMAPABLE)
    for side, backend in enumerate(both.backends):
        mapping = backend.mmap(array[side], 2 * PAGE, writable=True)
        with memoryview(mapping) as view:
            view[8:16] = b"elevenths"[:8]
        found = bytearray(8)
        both.send(side, Command.MAP_LOOKUP_ELEM, {"map_fd": array[side], "key": struct.pack("=I", 1), "value": found})
        assert found == b"eleventh"
        both.send(side, Command.MAP_UPDATE_ELEM, {"map_fd": array[side], "key": bytes(4), "value": b"12345678"})
        with memoryview(mapping) as view:
            assert bytes(view[:8]) == b"12345678"
        mapping.close()


def test_an_arena_is_seen_by_programs_and_user_space(sim: SimBackend, made: Made) -> None:
    fd, arena = made(MapType.ARENA, max_entries=2, map_flags=MapFlag.MMAPABLE, map_extra=1 << 32)
    memory = sim.mmap(fd, 2 * PAGE, writable=True)
    with memoryview(memory) as view:
        view[PAGE : PAGE + 4] = b"here"
    address = arena.to_kernel((1 << 32) + PAGE)
    assert sim.kernel.memory.read(address, 4) == b"here"
    assert arena.to_user(address) == (1 << 32) + PAGE
    memory.close()


def test_a_value_can_be_read_by_a_running_program_after_it_was_removed(sim: SimBackend, made: Made) -> None:
    _, found = made(MapType.HASH, key_size=4, value_size=4, max_entries=2, map_flags=MapFlag.NO_PREALLOC)
    memory = sim.kernel.memory
    assert found.update(b"key1", b"data", 0) == 0
    with memory.scope():
        address = found.lookup(b"key1")
        assert found.delete(b"key1") == 0
        assert memory.read(address, 4) == b"data"
    region = memory.find(address)
    assert region is None or not region.alive


def test_a_program_sees_the_values_own_bytes(sim: SimBackend, made: Made) -> None:
    _, found = made(MapType.ARRAY, key_size=4, value_size=4, max_entries=2)
    assert isinstance(found, ArrayMap)
    sim.kernel.memory.write(found.lookup(struct.pack("=I", 1)), b"data")
    assert found.sys_lookup(struct.pack("=I", 1), 0) == b"data"
    assert found.lookup(struct.pack("=I", 2)) == 0
