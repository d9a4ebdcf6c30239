"""Work queues: functions of the program that the simulated kernel calls later (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.bind import map_at
from bpflab.sim.timers import Timer

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

MONOTONIC: Final = 1
SOON: Final = 1
AFTER_OTHER_WORK: Final = 1_000_000
"""Nanoseconds until work is done: at the next move of the clock; a millisecond where other work asks for it."""


def bpf_wq_init(env: Environment, wq: int, p__map: int, flags: int) -> int:
    """Make work out of a field of a map's value: EBUSY a second time, EPERM for a map that user space has let go."""
    if flags:
        return -Errno.EINVAL
    if wq in env.kernel.timers:
        return -Errno.EBUSY
    target = map_at(env.run, p__map)
    if not target.users:
        return -Errno.EPERM
    env.kernel.timers[wq] = Timer(env.kernel, target, wq, MONOTONIC)
    return 0


def bpf_wq_set_callback_impl(env: Environment, wq: int, callback_fn: int, flags: int, aux__prog: int) -> int:
    """Say what does the work."""
    del aux__prog
    found = env.kernel.timers.get(wq)
    if flags or found is None:
        return -Errno.EINVAL
    if not found.map.users:
        return -Errno.EPERM
    found.program, found.callback = env.running, callback_fn
    return 0


def bpf_wq_start(env: Environment, wq: int, flags: int) -> int:
    """Have the work done once, soon; work that waits already is done once."""
    found = env.kernel.timers.get(wq)
    if flags or found is None or found.program is None:
        return -Errno.EINVAL
    if found.alarm is None:
        busy = any(each.running for each in env.kernel.timers.values())
        found.start(env.kernel.clock.now + (AFTER_OTHER_WORK if busy else SOON))
    return 0
