"""Clocks, as the simulated kernel's clock has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

TICK: Final = 4_000_000
"""Nanoseconds of a tick: CONFIG_HZ=250."""
INITIAL_JIFFIES: Final = (1 << 32) - 300 * 250
"""The tick counter starts five minutes before it overflows 32 bits (linux/jiffies.h)."""
TAI_OFFSET: Final = 37_000_000_000


def ktime_get_ns(env: Environment) -> int:
    """Nanoseconds since boot, without the time asleep."""
    return env.kernel.clock.now


def ktime_get_boot_ns(env: Environment) -> int:
    """Nanoseconds since boot; the simulated machine never sleeps."""
    return env.kernel.clock.now


def ktime_get_coarse_ns(env: Environment) -> int:
    """Nanoseconds since boot as of the last tick."""
    now = env.kernel.clock.now
    return now - now % TICK


def ktime_get_tai_ns(env: Environment) -> int:
    """Nanoseconds of atomic time."""
    return env.kernel.clock.wall + TAI_OFFSET


def jiffies64(env: Environment) -> int:
    """Ticks since boot."""
    return INITIAL_JIFFIES + env.kernel.clock.now // TICK
