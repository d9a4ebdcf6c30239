"""Which maps the kernel creates without BTF for key and value.

From `map_check_btf` of each map type in kernel/bpf, and measured on Linux 6.18: MAP_CREATE answers type ids
for one of these with ENOTSUPP or EINVAL.
"""

from __future__ import annotations

from typing import Final

from bpflab.abi.map_types import MapType

WITHOUT_BTF: Final = frozenset(
    {
        MapType.PERF_EVENT_ARRAY,
        MapType.CGROUP_ARRAY,
        MapType.STACK_TRACE,
        MapType.ARRAY_OF_MAPS,
        MapType.HASH_OF_MAPS,
        MapType.DEVMAP,
        MapType.DEVMAP_HASH,
        MapType.CPUMAP,
        MapType.XSKMAP,
        MapType.SOCKMAP,
        MapType.SOCKHASH,
        MapType.QUEUE,
        MapType.STACK,
        MapType.ARENA,
        MapType.RINGBUF,
        MapType.USER_RINGBUF,
        MapType.REUSEPORT_SOCKARRAY,
    }
)
