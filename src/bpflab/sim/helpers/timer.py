"""Timers: functions of the program that the clock calls later (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.timers import Timer

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment

CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME = 0, 1, 7
CLOCKS: Final = frozenset({CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME})
ABSOLUTE, PINNED = 1, 2


def timer_init(env: Environment, timer: int, map: SimMap, flags: int) -> int:
    """Make a timer out of a field of a map's value; a second time is EBUSY, unless nobody in user space has the map."""
    if flags not in CLOCKS:
        return -Errno.EINVAL
    if timer in env.kernel.timers:
        return -Errno.EBUSY
    if not map.users:
        return -Errno.EPERM
    env.kernel.timers[timer] = Timer(env.kernel, map, timer, flags)
    return 0


def timer_set_callback(env: Environment, timer: int, callback_fn: int) -> int:
    """Say what to call."""
    found = env.kernel.timers.get(timer)
    if found is None:
        return -Errno.EINVAL
    if not found.map.users:
        return -Errno.EPERM
    found.program, found.callback = env.running, callback_fn
    return 0


def timer_start(env: Environment, timer: int, nsecs: int, flags: int) -> int:
    """Set the alarm after a number of nanoseconds, or at a moment."""
    found = env.kernel.timers.get(timer)
    if flags & ~(ABSOLUTE | PINNED) or found is None or found.program is None:
        return -Errno.EINVAL
    clock = env.kernel.clock
    if not flags & ABSOLUTE:
        found.start(clock.now + nsecs)
    else:
        found.start(nsecs - clock.epoch if found.clock == CLOCK_REALTIME else nsecs)
    return 0


def timer_cancel(env: Environment, timer: int) -> int:
    """Stop the alarm: 1 if it was set; EDEADLK from within its own function."""
    found = env.kernel.timers.get(timer)
    if found is None:
        return -Errno.EINVAL
    if found.running:
        return -Errno.EDEADLK
    return int(found.stop())
