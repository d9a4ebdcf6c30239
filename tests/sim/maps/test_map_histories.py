"""Any history of raw commands on a map is answered by the simulator as by the running kernel."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType

Both = Callable[..., Any]
Step = Callable[["Subject"], None]

PER_CPU = {MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH}
UNORDERED = {MapType.HASH, MapType.PERCPU_HASH, MapType.LRU_HASH, MapType.LRU_PERCPU_HASH}
FLAGS = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5, 8, 16, 99, 1 << 32])


@dataclass(frozen=True)
class Shape:
    """A map to make, and the keys that its history is about."""

    type: MapType
    key: int
    value: int
    entries: int
    flags: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True)
class Subject:
    """A shape made in both kernels."""

    both: Both
    shape: Shape
    map_fd: tuple[int, int]
    value_size: int

    @property
    def ordered(self) -> bool:
        return self.shape.type not in UNORDERED

    def send(self, command: Command, **values: Any) -> Any:
        return self.both(command, map_fd=self.map_fd, **values)

    def value(self, seed: int) -> bytes:
        return struct.pack("<Q", seed * 0x9E3779B97F4A7C15 % (1 << 64)) * (self.value_size // 8) + b"\x55" * (
            self.value_size % 8
        )


def lookup(key: bytes | None, flags: int) -> Step:
    def step(on: Subject) -> None:
        room = {"value": on.value_size}
        on.send(Command.MAP_LOOKUP_ELEM, room=room, flags=flags, **named(key))

    return step


def take(key: bytes | None, flags: int) -> Step:
    def step(on: Subject) -> None:
        room = {"value": on.value_size}
        on.send(Command.MAP_LOOKUP_AND_DELETE_ELEM, room=room, flags=flags, **named(key))

    return step


def update(key: bytes | None, flags: int, seed: int) -> Step:
    def step(on: Subject) -> None:
        on.send(Command.MAP_UPDATE_ELEM, value=on.value(seed), flags=flags, **named(key))

    return step


def delete(key: bytes | None) -> Step:
    def step(on: Subject) -> None:
        on.send(Command.MAP_DELETE_ELEM, **named(key))

    return step


def next_key(key: bytes | None) -> Step:
    def step(on: Subject) -> None:
        if on.ordered:
            on.send(Command.MAP_GET_NEXT_KEY, room={"next_key": on.shape.key}, **named(key))

    return step


def update_many(keys: list[bytes], flags: int, seed: int) -> Step:
    def step(on: Subject) -> None:
        values = b"".join(on.value(seed + index) for index in range(len(keys)))
        on.send(
            Command.MAP_UPDATE_BATCH,
            keys=b"".join(keys),
            values=values,
            count=len(keys),
            elem_flags=flags,
            shows=("count",),
        )

    return step


def delete_many(keys: list[bytes], flags: int) -> Step:
    def step(on: Subject) -> None:
        on.send(Command.MAP_DELETE_BATCH, keys=b"".join(keys), count=len(keys), elem_flags=flags, shows=("count",))

    return step


def read_many(command: Command, count: int, flags: int) -> Step:
    """Read some of an ordered map, and all of another, whose order is its own."""

    def step(on: Subject) -> None:
        wanted = count if on.ordered else 64
        sizes = {"keys": on.shape.key, "values": on.value_size}
        on.send(
            command,
            room={name: size * wanted for name, size in sizes.items()},
            unordered={} if on.ordered else sizes,
            out_batch=bytearray(max(on.shape.key, 4)),
            count=wanted,
            elem_flags=flags,
            shows=("count",),
        )

    return step


def freeze(on: Subject) -> None:
    on.send(Command.MAP_FREEZE)


def named(key: bytes | None) -> dict[str, bytes]:
    return {} if not key else {"key": key}


@st.composite
def shapes(draw: st.DrawFn, map_type: MapType) -> Shape:
    def pick(*choices: int) -> int:
        return draw(st.sampled_from(choices))

    value, entries = pick(1, 4, 8, 11, 16), pick(1, 2, 3, 5, 9)
    flags, key = 0, 4
    if map_type in {MapType.HASH, MapType.PERCPU_HASH}:
        key, flags = pick(1, 4, 8, 12), pick(0, MapFlag.NO_PREALLOC, MapFlag.RDONLY, MapFlag.WRONLY)
    elif map_type in {MapType.LRU_HASH, MapType.LRU_PERCPU_HASH}:
        entries, flags = pick(1, 4, 9, 130), pick(0, MapFlag.NO_COMMON_LRU)
    elif map_type is MapType.LPM_TRIE:
        key, flags = pick(5, 6, 8), MapFlag.NO_PREALLOC
    elif map_type in {MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER}:
        key = 0
    return Shape(map_type, key, value, entries, flags, tuple(draw(key_lists(map_type, key))))


def key_lists(map_type: MapType, size: int) -> st.SearchStrategy[list[bytes]]:
    if not size:
        return st.just([b""])
    if map_type is MapType.LPM_TRIE:
        lengths = st.integers(0, (size - 4) * 8 + 1).map(lambda bits: struct.pack("=I", bits))
        data = st.sampled_from([0, 0x40, 0x80, 0xC0, 0xFF]).map(lambda byte: bytes([byte] * (size - 4)))
        return st.lists(st.tuples(lengths, data).map(b"".join), min_size=3, max_size=12, unique=True)
    if map_type in {MapType.ARRAY, MapType.PERCPU_ARRAY}:
        return st.just([struct.pack("=I", index) for index in (0, 1, 2, 4, 5, 0xFFFFFFFF)])
    few = 200 if map_type in {MapType.LRU_HASH, MapType.LRU_PERCPU_HASH} else 12
    return st.just([index.to_bytes(2, "little").rjust(size, b"k")[-size:] for index in range(few)])


def steps(shape: Shape) -> st.SearchStrategy[Step]:
    key: st.SearchStrategy[bytes | None] = st.sampled_from([*shape.keys] * 20 + [b""])
    many = st.lists(st.sampled_from(shape.keys), max_size=8)
    batch_flags = st.sampled_from([0, 0, 0, 4, 1])
    return st.one_of(
        st.builds(update, key, FLAGS, st.integers(0, 1000)),
        st.builds(update, key, st.just(0), st.integers(0, 1000)),
        st.builds(lookup, key, FLAGS),
        st.builds(take, key, FLAGS),
        st.builds(delete, key),
        st.builds(next_key, key),
        st.builds(update_many, many, batch_flags, st.integers(0, 1000)),
        st.builds(delete_many, many, batch_flags),
        st.builds(
            read_many,
            st.sampled_from([Command.MAP_LOOKUP_BATCH, Command.MAP_LOOKUP_AND_DELETE_BATCH]),
            st.integers(0, 9),
            batch_flags,
        ),
        st.sampled_from([freeze] + [_nothing] * 19),
    )


def _nothing(on: Subject) -> None:
    del on


@st.composite
def histories(draw: st.DrawFn, map_type: MapType) -> tuple[Shape, list[Step]]:
    shape = draw(shapes(map_type))
    return shape, draw(st.lists(steps(shape), max_size=60))


def user_size(shape: Shape, cpus: int) -> int:
    return -(-shape.value // 8) * 8 * cpus if shape.type in PER_CPU else shape.value


@pytest.mark.parametrize(
    "map_type",
    [
        MapType.HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_HASH,
        MapType.LRU_PERCPU_HASH,
        MapType.LPM_TRIE,
        MapType.QUEUE,
        MapType.STACK,
    ],
    ids=lambda map_type: map_type.name.lower(),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_a_history_of_commands_is_answered_as_by_the_kernel(
    map_type: MapType, both: Any, make: Callable[..., tuple[int, int]], data: st.DataObject
) -> None:
    shape, history = data.draw(histories(map_type))
    map_fd = make(shape.type, shape.key, shape.value, shape.entries, shape.flags)
    subject = Subject(both, shape, map_fd, user_size(shape, both.backends[0].possible_cpus))
    try:
        for step in history:
            step(subject)
        if subject.ordered or not shape.flags & (MapFlag.WRONLY):
            read_many(Command.MAP_LOOKUP_BATCH, 9, 0)(subject)
    finally:
        both.close()
