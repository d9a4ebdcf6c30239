"""What MAP_CREATE takes for each type of map, and what can be done with the map afterwards.

From the `map_alloc_check`, `map_alloc` and `map_ops` of each type in kernel/bpf and net, and held against the
running kernel by a test. A kernel older than a flag or a type refuses it all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, Final

from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME_LENGTH: Final = 15
"""Characters of a map's name, which may be letters, digits, `_` and `.` (BPF_OBJ_NAME_LEN less the final zero)."""

CREATE_ANYWHERE: Final = MapFlag.VTYPE_BTF_OBJ_FD | MapFlag.TOKEN_FD
"""Flags that say which field of the attr is set, whatever the type."""


class MapOp(Flag):
    """What the system call can do with a map of a type."""

    LOOKUP = auto()
    UPDATE = auto()
    DELETE = auto()
    NEXT_KEY = auto()
    LOOKUP_AND_DELETE = auto()
    LOOKUP_BATCH = auto()
    UPDATE_BATCH = auto()
    DELETE_BATCH = auto()
    LOOKUP_AND_DELETE_BATCH = auto()
    MMAP = auto()
    NOTHING = 0


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers that a field may hold: from `low` to `high` (None: no bound), those that `step` divides.

    `only` lists them when they are few; `power` asks for a power of two.
    """

    low: int = 0
    high: int | None = None
    step: int = 1
    only: tuple[int, ...] = ()
    power: bool = False

    def __contains__(self, number: int) -> bool:
        if self.only:
            return number in self.only
        fits = number >= self.low and (self.high is None or number <= self.high) and number % self.step == 0
        return fits and not (self.power and number & (number - 1))

    def __str__(self) -> str:
        if self.only:
            return " or ".join(map(str, self.only))
        bounds = f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"
        kind = "a power of two, " if self.power else ""
        return kind + bounds + (f", a multiple of {self.step}" if self.step > 1 and not self.power else "")


_NO_FLAGS: Final = MapFlag(0)
_NONE: Final = Numbers(only=(0,))


@dataclass(frozen=True, slots=True)
class MapRule:
    """What a type of map wants: sizes in bytes, entries, flags allowed and needed, map_extra, and operations.

    `per_cpu` values have one element for each possible CPU in the system call; `needs_btf` types refuse
    to be created without BTF types of key and value; `value_by_flag` are flags that ask for other sizes of values.
    """

    key: Numbers
    value: Numbers
    entries: Numbers
    flags: MapFlag
    ops: MapOp
    needed: MapFlag = _NO_FLAGS
    extra: Numbers = _NONE
    per_cpu: bool = False
    needs_btf: bool = False
    inner: bool = False
    value_by_flag: tuple[tuple[MapFlag, Numbers], ...] = ()

    def value_for(self, flags: int) -> Numbers:
        """Return the sizes of values that a map with these flags may have."""
        return next((numbers for flag, numbers in self.value_by_flag if flag & flags), self.value)


EXCLUSIVE: Final = (MapFlag.RDONLY | MapFlag.WRONLY, MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG)
"""Pairs of flags that exclude each other, for every type."""

_FOUR = Numbers(only=(4,))
_FOUR_OR_EIGHT = Numbers(only=(4, 8))
_SOME = Numbers(1, 2**32 - 1)
_PER_CPU_SIZE = Numbers(1, 32768)
_PAGES = Numbers(4096, 2**31, step=4096, power=True)
_LPM_KEY = Numbers(5, 260)
_CGROUP_KEY = Numbers(only=(8, 16))

_FD_ACCESS = MapFlag.RDONLY | MapFlag.WRONLY
_ACCESS = _FD_ACCESS | MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG
_NUMA = MapFlag.NUMA_NODE
_HASH_FLAGS = MapFlag.NO_PREALLOC | MapFlag.ZERO_SEED | _ACCESS
_LRU_FLAGS = MapFlag.NO_COMMON_LRU | MapFlag.ZERO_SEED | _ACCESS
_SLOT_FLAGS = _NUMA | _FD_ACCESS
_STORAGE_FLAGS = MapFlag.NO_PREALLOC | MapFlag.CLONE
_ARENA_FLAGS = MapFlag.MMAPABLE | MapFlag.SEGV_ON_FAULT | MapFlag.NO_USER_CONV

_SLOTS = MapOp.UPDATE | MapOp.DELETE | MapOp.NEXT_KEY
_ARRAY = MapOp.LOOKUP | MapOp.UPDATE | MapOp.NEXT_KEY | MapOp.LOOKUP_BATCH | MapOp.UPDATE_BATCH
_TABLE = MapOp.LOOKUP | _SLOTS
_BATCHED = _TABLE | MapOp.LOOKUP_BATCH | MapOp.UPDATE_BATCH | MapOp.DELETE_BATCH
_HASH = _BATCHED | MapOp.LOOKUP_AND_DELETE | MapOp.LOOKUP_AND_DELETE_BATCH
_QUEUE = MapOp.LOOKUP | MapOp.UPDATE | MapOp.LOOKUP_AND_DELETE
_STORAGE = MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE
_CGROUP = MapOp.LOOKUP | MapOp.UPDATE | MapOp.NEXT_KEY


def _hash(flags: MapFlag, *, per_cpu: bool = False) -> MapRule:
    return MapRule(_SOME, _PER_CPU_SIZE if per_cpu else _SOME, _SOME, flags, _HASH, per_cpu=per_cpu)


def _slots(flags: MapFlag = _SLOT_FLAGS, ops: MapOp = _SLOTS, value: Numbers = _FOUR) -> MapRule:
    return MapRule(_FOUR, value, _SOME, flags, ops)


def _storage() -> MapRule:
    return MapRule(_FOUR, _SOME, _NONE, _STORAGE_FLAGS, _STORAGE, MapFlag.NO_PREALLOC, needs_btf=True)


_QUEUE_RULE = MapRule(_NONE, _SOME, _SOME, _NUMA | _ACCESS, _QUEUE)

RULES: Final[Mapping[MapType, MapRule]] = {
    MapType.HASH: _hash(_HASH_FLAGS | _NUMA),
    MapType.PERCPU_HASH: _hash(_HASH_FLAGS, per_cpu=True),
    MapType.LRU_HASH: _hash(_LRU_FLAGS | _NUMA),
    MapType.LRU_PERCPU_HASH: _hash(_LRU_FLAGS, per_cpu=True),
    MapType.ARRAY: MapRule(
        _FOUR, _SOME, _SOME, _NUMA | _ACCESS | MapFlag.MMAPABLE | MapFlag.INNER_MAP, _ARRAY | MapOp.MMAP
    ),
    MapType.PERCPU_ARRAY: MapRule(_FOUR, _PER_CPU_SIZE, _SOME, _ACCESS, _ARRAY, per_cpu=True),
    MapType.LPM_TRIE: MapRule(
        _LPM_KEY, _SOME, _SOME, MapFlag.NO_PREALLOC | _NUMA | _ACCESS, _BATCHED, MapFlag.NO_PREALLOC
    ),
    MapType.QUEUE: _QUEUE_RULE,
    MapType.STACK: _QUEUE_RULE,
    MapType.BLOOM_FILTER: MapRule(
        _NONE, _SOME, _SOME, _NUMA | MapFlag.ZERO_SEED | _ACCESS, MapOp.LOOKUP | MapOp.UPDATE, extra=Numbers(0, 15)
    ),
    MapType.ARRAY_OF_MAPS: MapRule(
        _FOUR, _FOUR, _SOME, _SLOT_FLAGS, _TABLE | MapOp.LOOKUP_BATCH | MapOp.UPDATE_BATCH, inner=True
    ),
    MapType.HASH_OF_MAPS: MapRule(
        _SOME, _FOUR, _SOME, _HASH_FLAGS | _NUMA, _BATCHED | MapOp.LOOKUP_AND_DELETE_BATCH, inner=True
    ),
    MapType.PROG_ARRAY: _slots(ops=_TABLE),
    MapType.PERF_EVENT_ARRAY: _slots(_SLOT_FLAGS | MapFlag.PRESERVE_ELEMS),
    MapType.CGROUP_ARRAY: _slots(),
    MapType.STACK_TRACE: MapRule(
        _FOUR,
        Numbers(8, 1016, step=8),
        _SOME,
        _SLOT_FLAGS | MapFlag.STACK_BUILD_ID,
        MapOp.LOOKUP | MapOp.DELETE | MapOp.NEXT_KEY | MapOp.LOOKUP_AND_DELETE,
        value_by_flag=((MapFlag.STACK_BUILD_ID, Numbers(32, 4064, step=32)),),
    ),
    MapType.DEVMAP: _slots(ops=_TABLE, value=_FOUR_OR_EIGHT),
    MapType.DEVMAP_HASH: _slots(ops=_TABLE, value=_FOUR_OR_EIGHT),
    MapType.CPUMAP: _slots(_NUMA, _TABLE, _FOUR_OR_EIGHT),
    MapType.XSKMAP: _slots(),
    MapType.SOCKMAP: _slots(ops=_TABLE, value=_FOUR_OR_EIGHT),
    MapType.SOCKHASH: MapRule(Numbers(1, 512), _FOUR_OR_EIGHT, _SOME, _SLOT_FLAGS, _TABLE),
    MapType.REUSEPORT_SOCKARRAY: _slots(_NUMA | _ACCESS, _TABLE, _FOUR_OR_EIGHT),
    MapType.CGROUP_STORAGE: MapRule(_CGROUP_KEY, Numbers(1, 65407), _NONE, _NUMA | _ACCESS, _CGROUP),
    MapType.PERCPU_CGROUP_STORAGE: MapRule(_CGROUP_KEY, _PER_CPU_SIZE, _NONE, _NUMA | _ACCESS, _CGROUP, per_cpu=True),
    MapType.SK_STORAGE: _storage(),
    MapType.INODE_STORAGE: _storage(),
    MapType.TASK_STORAGE: _storage(),
    MapType.CGRP_STORAGE: _storage(),
    MapType.RINGBUF: MapRule(_NONE, _NONE, _PAGES, _NUMA | MapFlag.RB_OVERWRITE, MapOp.MMAP),
    MapType.USER_RINGBUF: MapRule(_NONE, _NONE, _PAGES, _NUMA, MapOp.MMAP),
    MapType.ARENA: MapRule(
        _NONE,
        _NONE,
        Numbers(1, 2**20),
        _ARENA_FLAGS,
        MapOp.MMAP,
        MapFlag.MMAPABLE,
        extra=Numbers(0, 2**64 - 4096, step=4096),
    ),
}
"""The rule of every type that this library creates; STRUCT_OPS maps are made by their loader."""

PLAIN: Final = frozenset(
    {
        MapType.HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_HASH,
        MapType.LRU_PERCPU_HASH,
        MapType.LPM_TRIE,
        MapType.QUEUE,
        MapType.STACK,
        MapType.BLOOM_FILTER,
    }
)
"""Types whose elements are nothing but memory: no call on one waits for programs, threads or a grace period."""
