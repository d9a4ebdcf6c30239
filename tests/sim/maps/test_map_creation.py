"""MAP_CREATE takes and refuses what the running kernel takes and refuses, with the same errno."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType

SIZES = st.sampled_from([0, 1, 3, 4, 5, 7, 8, 12, 16, 20, 32, 256, 260, 261, 512, 513, 1016, 1024, 32768, 32769, 65408])
ENTRIES = st.sampled_from([0, 1, 2, 3, 4, 7, 64, 4096, 8192, 12288, 65536])
KNOWN_FLAGS = [0, 0, MapFlag.NO_PREALLOC, *[1 << bit for bit in range(20) if 1 << bit != MapFlag.TOKEN_FD], 1 << 25]
FLAGS = st.lists(st.sampled_from(KNOWN_FLAGS), max_size=2).map(lambda flags: sum(set(flags)))
TYPES = [kind for kind in MapType if kind not in {MapType.CPUMAP, MapType.STRUCT_OPS, MapType.INSN_ARRAY}]
OUTER = {MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS}


@pytest.fixture
def create(both: Any, make: Callable[..., tuple[int, int]]) -> Callable[..., int]:
    inner = make(MapType.ARRAY, 4, 4, 1)

    def attempt(map_type: MapType, **values: Any) -> int:
        errno: int = both.refused(
            Command.MAP_CREATE, map_type=map_type, **({"inner_map_fd": inner} if map_type in OUTER else {}), **values
        )
        return errno

    return attempt


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    map_type=st.sampled_from(TYPES),
    key_size=st.one_of(st.sampled_from([4, 4, 0, 8]), SIZES),
    value_size=st.one_of(st.sampled_from([4, 8, 0]), SIZES),
    max_entries=st.one_of(st.sampled_from([1, 4096, 0]), ENTRIES),
    map_flags=FLAGS,
)
def test_any_map_is_made_or_refused_as_by_the_kernel(
    create: Callable[..., int], map_type: MapType, **values: int
) -> None:
    create(map_type, **values)


HASH = {"key_size": 4, "value_size": 4, "max_entries": 1}


@pytest.mark.parametrize(
    ("map_type", "values"),
    [
        (MapType.LRU_HASH, HASH | {"map_flags": MapFlag.NO_PREALLOC}),
        (MapType.LRU_HASH, HASH | {"key_size": 0, "map_flags": MapFlag.NO_PREALLOC}),
        (MapType.LRU_HASH, HASH | {"map_flags": MapFlag.NO_PREALLOC | 1 << 25}),
        (MapType.LRU_PERCPU_HASH, HASH | {"map_flags": MapFlag.NO_PREALLOC | MapFlag.NUMA_NODE}),
        (MapType.HASH, HASH | {"max_entries": 1 << 31}),
        (MapType.HASH, HASH | {"value_size": 1 << 22}),
        (MapType.HASH, HASH | {"map_flags": 1 << 25}),
        (MapType.HASH, HASH | {"map_flags": MapFlag.VTYPE_BTF_OBJ_FD}),
        (MapType.HASH, HASH | {"map_ifindex": 1}),
        (MapType.HASH, HASH | {"map_ifindex": 99999}),
        (MapType.SOCKHASH, HASH | {"map_ifindex": 1}),
        (MapType.SOCKHASH, HASH | {"key_size": 513}),
        (MapType.HASH, HASH | {"map_extra": 1}),
        (MapType.HASH, HASH | {"excl_prog_hash_size": 1}),
        (MapType.HASH, HASH | {"btf_value_type_id": 1, "btf_fd": 9999}),
        (MapType.HASH, HASH | {"btf_key_type_id": 1}),
        (MapType.HASH, HASH | {"btf_vmlinux_value_type_id": 1}),
        (MapType.HASH, HASH | {"map_flags": MapFlag.NUMA_NODE, "numa_node": 0xFFFFFFFF}),
        (MapType.HASH, HASH | {"map_flags": MapFlag.NUMA_NODE, "numa_node": 5000}),
        (MapType.HASH, HASH | {"numa_node": 5000}),
        (MapType.HASH, HASH | {"map_name": b"a b"}),
        (MapType.HASH, HASH | {"map_name": b"x" * 16}),
        (MapType.HASH, HASH | {"map_name": b"x" * 15}),
        (MapType.HASH, HASH | {"map_name": b"a.b_9\0 "}),
        (MapType.HASH, HASH | {"map_name": b"\xff\xd7"}),
        (MapType.HASH, HASH | {"map_name": b"\xff"}),
        (MapType.BLOOM_FILTER, {"value_size": 4, "max_entries": 1, "map_extra": 15}),
        (MapType.BLOOM_FILTER, {"value_size": 4, "max_entries": 1, "map_extra": 16}),
        (MapType.STACK_TRACE, HASH | {"value_size": 8, "map_flags": MapFlag.STACK_BUILD_ID}),
        (MapType.CGROUP_STORAGE, {"key_size": 8, "value_size": 65408, "map_flags": MapFlag.NO_PREALLOC}),
        (MapType.RINGBUF, {"max_entries": 4096, "map_flags": MapFlag.RB_OVERWRITE}),
        (MapType.ARENA, {"max_entries": 2, "map_flags": MapFlag.MMAPABLE, "map_extra": (1 << 32) - 4096}),
        (MapType.ARENA, {"max_entries": (1 << 20) + 1, "map_flags": MapFlag.MMAPABLE}),
        (MapType.LPM_TRIE, {"key_size": 8, "value_size": 1 << 22, "max_entries": 1, "map_flags": MapFlag.NO_PREALLOC}),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, MapType) else None,
)
def test_a_map_once_made_differently_is_made_alike(
    create: Callable[..., int], map_type: MapType, values: dict[str, Any]
) -> None:
    create(map_type, **values)


SHAPES = {
    MapType.LPM_TRIE: (8, 4, 1, MapFlag.NO_PREALLOC),
    **dict.fromkeys([MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER], (0, 4, 1, 0)),
    **dict.fromkeys([MapType.RINGBUF, MapType.USER_RINGBUF], (0, 0, 4096, 0)),
    **dict.fromkeys([MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE], (8, 4, 0, 0)),
    MapType.ARENA: (0, 0, 1, MapFlag.MMAPABLE),
    MapType.STACK_TRACE: (4, 8, 1, 0),
}
WITH_BTF = {MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE}
UNKNOWN = {MapType.UNSPEC, MapType.RHASH}


@pytest.mark.parametrize(
    "template", [kind for kind in TYPES if kind not in WITH_BTF | UNKNOWN], ids=lambda kind: kind.name.lower()
)
def test_a_type_may_be_the_inner_map_where_the_kernel_allows_it(
    both: Any, make: Callable[..., tuple[int, int]], template: MapType
) -> None:
    shape = SHAPES.get(template, (4, 4, 1, 0))
    inner = {"inner_map_fd": make(MapType.ARRAY, 4, 4, 1)} if template in OUTER else {}
    both.refused(
        Command.MAP_CREATE,
        map_type=MapType.ARRAY_OF_MAPS,
        key_size=4,
        value_size=4,
        max_entries=1,
        inner_map_fd=make(template, *shape, **inner),
    )
