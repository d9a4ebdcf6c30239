"""Eviction, hashing and order, where the running kernel determines them, are the simulator's too."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType

Make = Callable[..., tuple[int, int]]


def read_all(both: Any, map_fd: tuple[int, int], value_size: int, count: int) -> Any:
    sizes = {"keys": 4, "values": value_size}
    return both(
        Command.MAP_LOOKUP_BATCH,
        map_fd=map_fd,
        room={name: size * count for name, size in sizes.items()},
        unordered=sizes,
        out_batch=bytearray(4),
        count=count,
        shows=("count",),
    )


@pytest.mark.parametrize("flags", [0, MapFlag.NO_COMMON_LRU], ids=["common list", "list per cpu"])
@pytest.mark.parametrize("entries", [1, 3, 128, 129, 300, 513])
def test_an_lru_map_evicts_the_keys_that_the_kernel_evicts(both: Any, make: Make, entries: int, flags: int) -> None:
    map_fd = make(MapType.LRU_HASH, 4, 8, entries, flags)
    choose = random.Random(entries)
    for number in range(entries * 4):
        key = struct.pack("=I", choose.randrange(entries * 3 // 2 + 2))
        if choose.random() < 0.1:
            both(Command.MAP_DELETE_ELEM, map_fd=map_fd, key=key)
        else:
            value = struct.pack("=Q", number)
            both(Command.MAP_UPDATE_ELEM, map_fd=map_fd, key=key, value=value, flags=choose.choice([0, 0, 1, 2]))
    assert read_all(both, map_fd, 8, entries * 2 + 8).written["count"] <= entries + 4


@pytest.mark.parametrize("size", [3, 4, 8, 12, 13, 24, 25])
def test_a_bloom_filter_of_seed_0_errs_on_the_values_that_the_kernel_errs_on(both: Any, make: Make, size: int) -> None:
    bloom = make(MapType.BLOOM_FILTER, 0, size, 20, MapFlag.ZERO_SEED)
    values = [number.to_bytes(2, "little").ljust(size, b"x") for number in range(600)]
    for value in values[:40]:
        both(Command.MAP_UPDATE_ELEM, map_fd=bloom, value=value)
    found = [both(Command.MAP_LOOKUP_ELEM, map_fd=bloom, value=bytearray(value)).result for value in values]
    assert not any(found[:40])
    assert 0 in found[40:]


def test_a_bloom_filter_refuses_what_it_cannot_do_as_the_kernel_does(both: Any, make: Make) -> None:
    bloom = make(MapType.BLOOM_FILTER, 0, 4, 20)
    for flags in (0, 1, 2, 3, 4):
        both(Command.MAP_UPDATE_ELEM, map_fd=bloom, value=b"1234", flags=flags)
        both(Command.MAP_LOOKUP_ELEM, map_fd=bloom, value=b"1234", flags=flags)
        both(Command.MAP_LOOKUP_AND_DELETE_ELEM, map_fd=bloom, value=b"1234", flags=flags)
    both(Command.MAP_DELETE_ELEM, map_fd=bloom)
    both(Command.MAP_GET_NEXT_KEY, map_fd=bloom, next_key=b"1234")
    both(Command.MAP_UPDATE_ELEM, map_fd=bloom, key=b"1234", value=b"1234")


def test_an_array_walks_by_index_and_starts_again_past_its_end(both: Any, make: Make) -> None:
    array = make(MapType.ARRAY, 4, 4, 3)
    for index in (0, 1, 2, 3, 0x7FFFFFFF, 0xFFFFFFFF):
        both(Command.MAP_GET_NEXT_KEY, map_fd=array, key=struct.pack("=I", index), room={"next_key": 4})
    both(Command.MAP_GET_NEXT_KEY, map_fd=array, room={"next_key": 4})


@pytest.mark.parametrize("name", ["key", "value"])
@pytest.mark.parametrize("command", [Command.MAP_LOOKUP_ELEM, Command.MAP_UPDATE_ELEM, Command.MAP_DELETE_ELEM])
def test_a_null_pointer_is_a_bad_address(both: Any, make: Make, command: Command, name: str) -> None:
    table = make(MapType.HASH, 4, 4, 3)
    both(Command.MAP_UPDATE_ELEM, map_fd=table, key=b"abcd", value=b"efgh")
    given = {"key": b"abcd"} | ({"value": bytearray(4)} if command != Command.MAP_DELETE_ELEM else {})
    given.pop(name, None)
    both(command, map_fd=table, **given)


@pytest.mark.parametrize("flags", [MapFlag.RDONLY, MapFlag.WRONLY], ids=["read only", "write only"])
def test_a_descriptor_allows_what_its_flags_say(both: Any, make: Make, flags: int) -> None:
    table = make(MapType.HASH, 4, 4, 3, flags)
    for command in (Command.MAP_LOOKUP_ELEM, Command.MAP_UPDATE_ELEM, Command.MAP_LOOKUP_AND_DELETE_ELEM):
        both(command, map_fd=table, key=b"abcd", value=bytearray(4))
    both(Command.MAP_DELETE_ELEM, map_fd=table, key=b"abcd")
    both(Command.MAP_GET_NEXT_KEY, map_fd=table, next_key=bytearray(4))
    both(Command.MAP_FREEZE, map_fd=table)


def test_a_frozen_map_cannot_be_written_and_not_frozen_again(both: Any, make: Make) -> None:
    table = make(MapType.HASH, 4, 4, 3)
    for _ in range(2):
        both(Command.MAP_FREEZE, map_fd=table)
    for command in (Command.MAP_UPDATE_ELEM, Command.MAP_LOOKUP_ELEM, Command.MAP_LOOKUP_AND_DELETE_ELEM):
        both(command, map_fd=table, key=b"abcd", value=bytearray(4))
    both(Command.MAP_UPDATE_BATCH, map_fd=table, keys=b"abcd", values=b"abcd", count=1, shows=("count",))
