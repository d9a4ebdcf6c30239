"""Records for user space through perf buffers (kernel/trace/bpf_trace.c, net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.events import PerfEvent
from bpflab.sim.frame import XdpFrame
from bpflab.sim.maps.perf_event_array import PerfEventArrayMap
from bpflab.sim.skb import Skb

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment

INDEX: Final = 0xFFFFFFFF
CURRENT_CPU: Final = INDEX
PACKET_SHIFT: Final = 32
PACKET_BYTES: Final = 0xFFFFF << PACKET_SHIFT
"""Flags: the index in the map, or this CPU; above it, how many bytes of the packet go with the record."""


def perf_event_output(env: Environment, ctx: object, map: SimMap, flags: int, data: bytes, size: int) -> int:
    """Send a record to the perf event at an index of the map, with packet bytes behind it if asked for."""
    del size
    packet = ctx if isinstance(ctx, (XdpFrame, Skb)) else None
    if flags & ~(INDEX | PACKET_BYTES if packet is not None else INDEX):
        return -Errno.EINVAL
    wanted = (flags & PACKET_BYTES) >> PACKET_SHIFT
    if packet is not None and wanted > packet.length:
        return -Errno.EFAULT
    content = data + (packet.read(0, wanted) or b"" if packet is not None else b"")
    index = env.kernel.cpu if flags & INDEX == CURRENT_CPU else flags & INDEX
    answer = map.output(index, content) if isinstance(map, PerfEventArrayMap) else -Errno.EINVAL
    env.kernel.world.record(PerfEvent(env.running.name, map.name, index, content, answer))
    return answer
