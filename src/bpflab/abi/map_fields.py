"""Fields of map values that belong to the kernel: the structs, their sizes, and the maps that may hold them.

From `btf_parse_fields` (kernel/bpf/btf.c) and `map_check_btf` (kernel/bpf/syscall.c) of Linux 6.18. Such a
field is found by the name of its type; only the kernel writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.map_types import MapType

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A kind of field: bytes it takes, how it is aligned, the maps that may hold it, how many there may be."""

    size: int
    alignment: int
    maps: frozenset[MapType]
    only_one: bool = True


_STORAGES = frozenset({MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE})
_LOCKED = frozenset({MapType.HASH, MapType.ARRAY, MapType.CGROUP_STORAGE}) | _STORAGES
_TIMED = frozenset({MapType.HASH, MapType.LRU_HASH, MapType.ARRAY})
_POINTING = frozenset({MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH, MapType.PERCPU_ARRAY}) | _TIMED | _STORAGES

FIELDS: Final[Mapping[str, FieldRule]] = MappingProxyType(
    {
        "bpf_spin_lock": FieldRule(4, 4, _LOCKED),
        "bpf_res_spin_lock": FieldRule(4, 4, _LOCKED),
        "bpf_timer": FieldRule(16, 8, _TIMED),
        "bpf_wq": FieldRule(16, 8, _TIMED),
        "bpf_task_work": FieldRule(8, 8, _TIMED),
        "bpf_list_head": FieldRule(16, 8, _TIMED, only_one=False),
        "bpf_rb_root": FieldRule(16, 8, _TIMED, only_one=False),
        "bpf_refcount": FieldRule(4, 4, _POINTING),
        "kptr": FieldRule(8, 8, _POINTING, only_one=False),
        "kptr_untrusted": FieldRule(8, 8, _POINTING, only_one=False),
        "percpu_kptr": FieldRule(8, 8, _POINTING, only_one=False),
        "uptr": FieldRule(8, 8, frozenset({MapType.TASK_STORAGE}), only_one=False),
    }
)
"""By name of the struct, or of the type tag of a pointer."""

SPIN_LOCKS: Final = frozenset({"bpf_spin_lock", "bpf_res_spin_lock"})
"""At most one of these in a value; UpdateFlag.LOCK wants the first."""

STARTS_AT_ONE: Final = frozenset({"bpf_refcount"})
"""Fields that the kernel makes 1 instead of 0."""

NEED_LOCK: Final = frozenset({"bpf_list_head", "bpf_rb_root"})
"""Fields that a value may only have beside a spin lock."""
