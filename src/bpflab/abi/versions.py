"""The first kernel with each type of program and map, attach type and feature of the instruction set.

Sources: the history of linux/bpf.h and Documentation/bpf; helpers have theirs in the helper table.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import IntEnum

Version = tuple[int, int]

_PROGRAMS: Final = """
3.19 SOCKET_FILTER
4.1 KPROBE SCHED_CLS SCHED_ACT
4.7 TRACEPOINT
4.8 XDP
4.9 PERF_EVENT
4.10 CGROUP_SKB CGROUP_SOCK LWT_IN LWT_OUT LWT_XMIT
4.13 SOCK_OPS
4.14 SK_SKB
4.15 CGROUP_DEVICE
4.17 SK_MSG RAW_TRACEPOINT CGROUP_SOCK_ADDR
4.18 LWT_SEG6LOCAL LIRC_MODE2
4.19 SK_REUSEPORT
4.20 FLOW_DISSECTOR
5.2 CGROUP_SYSCTL RAW_TRACEPOINT_WRITABLE
5.3 CGROUP_SOCKOPT
5.5 TRACING
5.6 STRUCT_OPS EXT
5.7 LSM
5.9 SK_LOOKUP
5.14 SYSCALL
6.4 NETFILTER
"""
_MAPS: Final = """
3.19 HASH ARRAY
4.2 PROG_ARRAY
4.3 PERF_EVENT_ARRAY
4.6 PERCPU_HASH PERCPU_ARRAY STACK_TRACE
4.8 CGROUP_ARRAY
4.10 LRU_HASH LRU_PERCPU_HASH
4.11 LPM_TRIE
4.12 ARRAY_OF_MAPS HASH_OF_MAPS
4.14 DEVMAP SOCKMAP
4.15 CPUMAP
4.18 XSKMAP SOCKHASH
4.19 CGROUP_STORAGE REUSEPORT_SOCKARRAY
4.20 PERCPU_CGROUP_STORAGE QUEUE STACK
5.2 SK_STORAGE
5.4 DEVMAP_HASH
5.6 STRUCT_OPS
5.8 RINGBUF
5.10 INODE_STORAGE
5.11 TASK_STORAGE
5.16 BLOOM_FILTER
6.1 USER_RINGBUF
6.2 CGRP_STORAGE
6.9 ARENA
"""
_ATTACH: Final = """
5.8 XDP_DEVMAP
5.9 XDP_CPUMAP
5.18 TRACE_KPROBE_MULTI
6.0 LSM_CGROUP
6.6 TRACE_UPROBE_MULTI TCX_INGRESS TCX_EGRESS
6.7 NETKIT_PRIMARY NETKIT_PEER
"""
FEATURES: Final[Mapping[str, Version]] = MappingProxyType(
    {
        "functions of its own": (4, 16),
        "jumps that compare 32 bits": (5, 1),
        "global variables": (5, 2),
        "global functions": (5, 6),
        "sleepable programs": (5, 10),
        "variables of the kernel": (5, 10),
        "atomic operations that fetch": (5, 12),
        "callbacks": (5, 13),
        "functions of the kernel": (5, 13),
        "packets in fragments": (5, 18),
        "instructions of version 4": (6, 6),
        "may_goto": (6, 9),
        "variables in an arena": (6, 9),
        "load-acquire and store-release": (6, 15),
    }
)


def _read(text: str, names: type[IntEnum]) -> Mapping[int, Version]:
    rows = (line.split() for line in text.strip().splitlines())
    return MappingProxyType({names[name]: parse(version) for version, *found in rows for name in found})


def parse(text: str) -> Version:
    """Read a version such as `5.10`."""
    major, minor = text.split(".")
    return int(major), int(minor)


PROGRAMS: Final = _read(_PROGRAMS, ProgType)
MAPS: Final = _read(_MAPS, MapType)
ATTACH_TYPES: Final = _read(_ATTACH, AttachType)
"""The first kernel, by type; attach types that are not here came with their program type."""
