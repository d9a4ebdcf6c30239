"""Which class a type of map is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.map_types import MapType
from bpflab.maps.array import Array, PerCpuArray
from bpflab.maps.hash import HashMap, LruHash, LruPerCpuHash, PerCpuHash
from bpflab.maps.indexed import (
    CgroupArray,
    CpuMap,
    DevMap,
    DevMapHash,
    PerfEventArray,
    ProgArray,
    ReuseportSockarray,
    XskMap,
)
from bpflab.maps.lpm_trie import LpmTrie
from bpflab.maps.map_in_map import ArrayOfMaps, HashOfMaps
from bpflab.maps.memory import Arena
from bpflab.maps.queue import BloomFilter, Queue, Stack
from bpflab.maps.rings import RingBuf, UserRingBuf
from bpflab.maps.sockets import SockHash, SockMap
from bpflab.maps.stack_trace import StackTrace
from bpflab.maps.storage import (
    CgroupStorage,
    CgrpStorage,
    InodeStorage,
    PerCpuCgroupStorage,
    SkStorage,
    TaskStorage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.maps.handle import MapHandle

CLASSES: Final[Mapping[MapType, type[MapHandle[Any, Any]]]] = {
    MapType.HASH: HashMap,
    MapType.LRU_HASH: LruHash,
    MapType.PERCPU_HASH: PerCpuHash,
    MapType.LRU_PERCPU_HASH: LruPerCpuHash,
    MapType.ARRAY: Array,
    MapType.PERCPU_ARRAY: PerCpuArray,
    MapType.LPM_TRIE: LpmTrie,
    MapType.QUEUE: Queue,
    MapType.STACK: Stack,
    MapType.BLOOM_FILTER: BloomFilter,
    MapType.ARRAY_OF_MAPS: ArrayOfMaps,
    MapType.HASH_OF_MAPS: HashOfMaps,
    MapType.PROG_ARRAY: ProgArray,
    MapType.PERF_EVENT_ARRAY: PerfEventArray,
    MapType.STACK_TRACE: StackTrace,
    MapType.CGROUP_ARRAY: CgroupArray,
    MapType.DEVMAP: DevMap,
    MapType.DEVMAP_HASH: DevMapHash,
    MapType.CPUMAP: CpuMap,
    MapType.XSKMAP: XskMap,
    MapType.SOCKMAP: SockMap,
    MapType.SOCKHASH: SockHash,
    MapType.REUSEPORT_SOCKARRAY: ReuseportSockarray,
    MapType.CGROUP_STORAGE: CgroupStorage,
    MapType.PERCPU_CGROUP_STORAGE: PerCpuCgroupStorage,
    MapType.SK_STORAGE: SkStorage,
    MapType.TASK_STORAGE: TaskStorage,
    MapType.INODE_STORAGE: InodeStorage,
    MapType.CGRP_STORAGE: CgrpStorage,
    MapType.RINGBUF: RingBuf,
    MapType.USER_RINGBUF: UserRingBuf,
    MapType.ARENA: Arena,
}


def class_of(kind: MapType) -> type[MapHandle[Any, Any]]:
    """Return the class of a type's maps."""
    return CLASSES[kind]
