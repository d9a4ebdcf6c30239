"""What the verifier knows of helpers and program types beside their prototypes (kernel/bpf/verifier.c)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping

ACQUIRING_HELPERS: Final = frozenset(
    {"sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp", "ringbuf_reserve", "kptr_xchg"}
)
"""Helpers whose result must be released (is_acquire_function); map_lookup_elem of a socket map is one too."""

ACQUIRING_MAPS: Final = frozenset({MapType.SOCKMAP, MapType.SOCKHASH})
"""Map types whose values, looked up by a program, must be released."""

ALWAYS_FOUND: Final = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
"""Map types where a constant index in bounds is known to find a value (can_elide_value_nullness, since 6.14)."""

CALLBACK_MEMORY: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"loop": (3, 2), "for_each_map_elem": (3, 4), "find_vma": (4, 3), "user_ringbuf_drain": (3, 2)}
)
"""Where helpers take memory for their callback, and where the callback gets it: numbers of registers."""

PACKET_LOAD_TYPES: Final = frozenset({ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.SCHED_ACT})
"""Program types that may use LD_ABS and LD_IND (may_access_skb)."""

MAX_PROCESSED: Final = 1_000_000
"""Instructions that the verifier follows before it gives up (BPF_COMPLEXITY_LIMIT_INSNS)."""

TAIL_CALL_STACK: Final = 256
"""Bytes of stack that callers of a function with a tail call may use together."""

STACK_UNIT: Final = 16
"""A function's stack is counted in units of so many bytes where programs are compiled (round_up_stack_depth)."""

_HELPERS_OF_MAP = {
    MapType.PROG_ARRAY: "tail_call",
    MapType.PERF_EVENT_ARRAY: "perf_event_read perf_event_output skb_output perf_event_read_value xdp_output",
    MapType.RINGBUF: (
        "ringbuf_output ringbuf_reserve ringbuf_query ringbuf_reserve_dynptr ringbuf_submit_dynptr "
        "ringbuf_discard_dynptr"
    ),
    MapType.USER_RINGBUF: "user_ringbuf_drain",
    MapType.STACK_TRACE: "get_stackid",
    MapType.CGROUP_ARRAY: "skb_under_cgroup current_task_under_cgroup",
    MapType.CGROUP_STORAGE: "get_local_storage",
    MapType.PERCPU_CGROUP_STORAGE: "get_local_storage",
    MapType.DEVMAP: "redirect_map map_lookup_elem",
    MapType.DEVMAP_HASH: "redirect_map map_lookup_elem",
    MapType.XSKMAP: "redirect_map map_lookup_elem",
    MapType.CPUMAP: "redirect_map",
    MapType.ARRAY_OF_MAPS: "map_lookup_elem",
    MapType.HASH_OF_MAPS: "map_lookup_elem",
    MapType.SOCKMAP: (
        "sk_redirect_map sock_map_update msg_redirect_map sk_select_reuseport map_lookup_elem map_update_elem "
        "map_delete_elem"
    ),
    MapType.SOCKHASH: (
        "sk_redirect_hash sock_hash_update msg_redirect_hash sk_select_reuseport map_lookup_elem map_update_elem "
        "map_delete_elem"
    ),
    MapType.REUSEPORT_SOCKARRAY: "sk_select_reuseport",
    MapType.QUEUE: "map_peek_elem map_pop_elem map_push_elem",
    MapType.STACK: "map_peek_elem map_pop_elem map_push_elem",
    MapType.SK_STORAGE: "sk_storage_get sk_storage_delete kptr_xchg",
    MapType.INODE_STORAGE: "inode_storage_get inode_storage_delete kptr_xchg",
    MapType.TASK_STORAGE: "task_storage_get task_storage_delete kptr_xchg",
    MapType.CGRP_STORAGE: "cgrp_storage_get cgrp_storage_delete kptr_xchg",
    MapType.BLOOM_FILTER: "map_peek_elem map_push_elem",
}

_MAPS_OF_HELPER = {
    "tail_call": "PROG_ARRAY",
    "perf_event_read": "PERF_EVENT_ARRAY",
    "perf_event_output": "PERF_EVENT_ARRAY",
    "perf_event_read_value": "PERF_EVENT_ARRAY",
    "skb_output": "PERF_EVENT_ARRAY",
    "xdp_output": "PERF_EVENT_ARRAY",
    "ringbuf_output": "RINGBUF",
    "ringbuf_reserve": "RINGBUF",
    "ringbuf_query": "RINGBUF",
    "ringbuf_reserve_dynptr": "RINGBUF",
    "ringbuf_submit_dynptr": "RINGBUF",
    "ringbuf_discard_dynptr": "RINGBUF",
    "user_ringbuf_drain": "USER_RINGBUF",
    "get_stackid": "STACK_TRACE",
    "current_task_under_cgroup": "CGROUP_ARRAY",
    "skb_under_cgroup": "CGROUP_ARRAY",
    "redirect_map": "DEVMAP DEVMAP_HASH CPUMAP XSKMAP",
    "sk_redirect_map": "SOCKMAP",
    "msg_redirect_map": "SOCKMAP",
    "sock_map_update": "SOCKMAP",
    "sk_redirect_hash": "SOCKHASH",
    "msg_redirect_hash": "SOCKHASH",
    "sock_hash_update": "SOCKHASH",
    "get_local_storage": "CGROUP_STORAGE PERCPU_CGROUP_STORAGE",
    "sk_select_reuseport": "REUSEPORT_SOCKARRAY SOCKMAP SOCKHASH",
    "map_pop_elem": "QUEUE STACK",
    "map_peek_elem": "QUEUE STACK BLOOM_FILTER",
    "map_push_elem": "QUEUE STACK BLOOM_FILTER",
    "map_lookup_percpu_elem": "PERCPU_ARRAY PERCPU_HASH LRU_PERCPU_HASH",
    "sk_storage_get": "SK_STORAGE",
    "sk_storage_delete": "SK_STORAGE",
    "inode_storage_get": "INODE_STORAGE",
    "inode_storage_delete": "INODE_STORAGE",
    "task_storage_get": "TASK_STORAGE",
    "task_storage_delete": "TASK_STORAGE",
    "cgrp_storage_get": "CGRP_STORAGE",
    "cgrp_storage_delete": "CGRP_STORAGE",
}

HELPERS_OF_MAP: Final[Mapping[MapType, frozenset[str]]] = MappingProxyType(
    {map_type: frozenset(names.split()) for map_type, names in _HELPERS_OF_MAP.items()}
)
"""The only helpers that take a map of a type; other types are taken by all that name no type."""

MAPS_OF_HELPER: Final[Mapping[str, frozenset[MapType]]] = MappingProxyType(
    {name: frozenset(MapType[word] for word in words.split()) for name, words in _MAPS_OF_HELPER.items()}
)
"""The only map types that a helper takes (check_map_func_compatibility)."""
