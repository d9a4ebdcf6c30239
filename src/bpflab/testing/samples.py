"""Arguments that make a small map of each type: where a test wants one of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRIES: Final = 8
INNER: Final[Mapping[str, Any]] = {"type": "array", "value": "u32", "max_entries": 2}
TYPED: Final[Mapping[MapType, Mapping[str, Any]]] = {
    MapType.HASH: {"key": "u32", "value": "u64"},
    MapType.PERCPU_HASH: {"key": "u32", "value": "u64"},
    MapType.LRU_HASH: {"key": "u32", "value": "u64"},
    MapType.LRU_PERCPU_HASH: {"key": "u32", "value": "u64"},
    MapType.ARRAY: {"value": "u64"},
    MapType.PERCPU_ARRAY: {"value": "u64"},
    MapType.LPM_TRIE: {"key": "ipv4", "value": "u64"},
    MapType.QUEUE: {"value": "u64"},
    MapType.STACK: {"value": "u64"},
    MapType.BLOOM_FILTER: {"value": "u64"},
    MapType.HASH_OF_MAPS: {"key": "u32"},
    MapType.SOCKHASH: {"key": "u32"},
    MapType.CGROUP_STORAGE: {"value": "u64"},
    MapType.PERCPU_CGROUP_STORAGE: {"value": "u64"},
    MapType.SK_STORAGE: {"value": "u64"},
    MapType.INODE_STORAGE: {"value": "u64"},
    MapType.TASK_STORAGE: {"value": "u64"},
    MapType.CGRP_STORAGE: {"value": "u64"},
}
"""The codecs of the types that have a choice."""


def sample_arguments(kind: MapType, *, max_entries: int = ENTRIES) -> dict[str, Any]:
    """Return arguments with which `lab.map(**arguments)` makes a map of a type, of about `max_entries` entries."""
    rule = RULES[kind]
    arguments: dict[str, Any] = {"type": kind, **TYPED.get(kind, {})}
    if rule.inner:
        arguments["inner"] = INNER
    if not rule.entries.only:
        arguments["max_entries"] = max_entries if max_entries in rule.entries else rule.entries.low
    return arguments
