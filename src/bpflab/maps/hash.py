"""Hash maps: of all entries, of those least recently used, and of values per CPU."""

from __future__ import annotations

from typing import TypeVar

from bpflab.maps.batch import DeleteBatchMap
from bpflab.maps.codecs.percpu import PerCpuValues

K = TypeVar("K")
V = TypeVar("V")


class HashMap(DeleteBatchMap[K, V]):
    """HASH: a mapping of at most max_entries entries."""


class LruHash(HashMap[K, V]):
    """LRU_HASH: when it is full, entries that were not used lately make place for new ones.

    How many are evicted at once, and how exact "lately" is, is the kernel's: it keeps lists per CPU, takes entries in
    groups, and may evict before max_entries is reached.
    """


class PerCpuHash(HashMap[K, PerCpuValues[V]]):
    """PERCPU_HASH: each key has a value for every possible CPU; see `PerCpuValues` and `AllCpus`."""


class LruPerCpuHash(PerCpuHash[K, V]):
    """LRU_PERCPU_HASH: an LRU_HASH with a value for every possible CPU."""
