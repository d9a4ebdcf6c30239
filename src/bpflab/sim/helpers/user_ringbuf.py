"""Records that user space wrote, drained by a program (kernel/bpf/ringbuf.c, bpf_user_ringbuf_drain)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import RingbufFlag
from bpflab.sim.dynptr import SIZE, Dynptr, put
from bpflab.sim.maps.user_ringbuf import UserRingbufMap
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment

MAX_SAMPLES: Final = 128 * 1024
"""Records that one call takes at most (BPF_MAX_USER_RINGBUF_SAMPLES)."""
NO_WAKEUP, FORCE_WAKEUP = int(RingbufFlag.NO_WAKEUP), int(RingbufFlag.FORCE_WAKEUP)


def user_ringbuf_drain(env: Environment, map: SimMap, callback_fn: int, ctx: int | None, flags: int) -> int:
    """Call back with (dynptr, context) for each record until one call answers 1; gives how many there were."""
    if flags & ~(NO_WAKEUP | FORCE_WAKEUP) or not isinstance(map, UserRingbufMap):
        return -Errno.EINVAL
    if map.draining:
        return -Errno.EBUSY
    map.draining = True
    try:
        answer = _drain(env, map, callback_fn, ctx or 0)
    finally:
        map.draining = False
    if flags & FORCE_WAKEUP or (answer > 0 and not flags & NO_WAKEUP):
        env.kernel.wake()
    return answer


def _drain(env: Environment, map: UserRingbufMap, callback: int, context: int) -> int:
    taken = 0
    for _ in range(MAX_SAMPLES):
        try:
            data = map.peek()
        except Refusal as refusal:
            if refusal.errno == Errno.EAGAIN:
                continue
            return taken if refusal.errno == Errno.ENODATA else -refusal.errno
        taken += 1
        stop = _show(env, map, data, callback, context)
        map.release(len(data))
        if stop:
            break
    return taken


def _show(env: Environment, map: UserRingbufMap, data: bytes, callback: int, context: int) -> int:
    scope = env.run.scope
    record = scope.add(RegionKind.BUFFER, bytearray(data), name=map.name, writable=False)
    place = scope.add(RegionKind.BUFFER, bytearray(SIZE), name="dynptr")
    put(env, place.address, Dynptr(record.address, len(data), writable=False))
    return env.run.call(callback, place.address, context)
