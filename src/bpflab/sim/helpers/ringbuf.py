"""Records for user space through ring buffers (kernel/bpf/ringbuf.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.maps.ringbuf import Record, RingbufMap

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment


def ringbuf_output(env: Environment, ringbuf: SimMap, data: bytes, size: int, flags: int) -> int:
    """Copy a record into the ring."""
    del env, size
    return ringbuf.output(data, flags) if isinstance(ringbuf, RingbufMap) else -Errno.EINVAL


def ringbuf_reserve(env: Environment, ringbuf: SimMap, size: int, flags: int) -> int:
    """Give the address of a record to fill, 0 when there is no room; the program must finish it."""
    if flags or not isinstance(ringbuf, RingbufMap):
        return 0
    address = ringbuf.reserve(size)
    if address:
        env.run.acquire(address, "ring buffer record")
    return address


def ringbuf_submit(env: Environment, data: int, flags: int) -> int:
    """Hand a record to the consumer."""
    return _finish(env, data, flags, discard=False)


def ringbuf_discard(env: Environment, data: int, flags: int) -> int:
    """Let the consumer skip a record."""
    return _finish(env, data, flags, discard=True)


def ringbuf_query(env: Environment, ringbuf: SimMap, flags: int) -> int:
    """Read the fill, the size or a position."""
    del env
    return ringbuf.query(flags) if isinstance(ringbuf, RingbufMap) else 0


def _finish(env: Environment, address: int, flags: int, *, discard: bool) -> int:
    region = env.run.memory.find(address)
    record = region.owner if region is not None else None
    if not isinstance(record, Record) or record.region.address != address:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"{address:#x} is not the start of a ring buffer record")
    env.run.release(address)
    record.ring.commit(record, flags, discard=discard)
    return 0
