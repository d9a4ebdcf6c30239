"""Ring buffer records of a size that is known at run time, through dynptrs (kernel/bpf/ringbuf.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.dynptr import MAX_BYTES, Dynptr, at, clear, put
from bpflab.sim.maps.ringbuf import Record, RingbufMap

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment

RECORD = "dynptr of a ring buffer record"


def ringbuf_reserve_dynptr(env: Environment, ringbuf: SimMap, size: int, flags: int, ptr: int) -> int:
    """Reserve a record. The dynptr has to be submitted or discarded even when that fails."""
    answer, made = _reserve(ringbuf, size, flags)
    put(env, ptr, made)
    env.run.acquire(ptr, RECORD)
    return answer


def _reserve(ringbuf: SimMap, size: int, flags: int) -> tuple[int, Dynptr]:
    if flags or not isinstance(ringbuf, RingbufMap):
        return -Errno.EINVAL, Dynptr()
    if size > MAX_BYTES:
        return -Errno.E2BIG, Dynptr()
    address = ringbuf.reserve(size)
    return (0, Dynptr(address, size)) if address else (-Errno.EINVAL, Dynptr())


def ringbuf_submit_dynptr(env: Environment, ptr: int, flags: int) -> int:
    """Hand the record to the consumer, if there is one."""
    return _finish(env, ptr, flags, discard=False)


def ringbuf_discard_dynptr(env: Environment, ptr: int, flags: int) -> int:
    """Let the consumer skip the record, if there is one."""
    return _finish(env, ptr, flags, discard=True)


def _finish(env: Environment, ptr: int, flags: int, *, discard: bool) -> int:
    found = at(env, ptr)
    env.run.release(ptr)
    region = env.run.memory.find(found.place(0))
    record = region.owner if region is not None else None
    if isinstance(record, Record):
        record.ring.commit(record, flags, discard=discard)
    clear(env, ptr)
    return 0
