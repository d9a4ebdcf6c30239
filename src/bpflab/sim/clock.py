"""The time and the chance of a simulated kernel: they stand still until the test moves them."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

NANOSECONDS: Final = 1_000_000_000
BOOT: Final = 1 * NANOSECONDS
"""Time since boot when a simulated kernel starts, so that a program never sees time 0."""
EPOCH: Final = 1_700_000_000 * NANOSECONDS
"""The wall-clock time of boot, in nanoseconds since 1970."""


@dataclass(order=True, slots=True)
class Alarm:
    """A function to call when the clock reaches `when` (nanoseconds since boot)."""

    when: int
    number: int
    call: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Do not call it."""
        self.cancelled = True


class Clock:
    """Nanoseconds since boot. It is frozen: only `advance` moves it, and fires the alarms on its way."""

    def __init__(self, now: int = BOOT, epoch: int = EPOCH) -> None:
        self.now = now
        self.epoch = epoch
        self._alarms: list[Alarm] = []
        self._numbers = itertools.count()

    @property
    def wall(self) -> int:
        """Nanoseconds since 1970."""
        return self.epoch + self.now

    def advance(self, *, seconds: float = 0, nanoseconds: int = 0) -> None:
        """Move time forward; alarms that fall due are called in order, each at its own time."""
        step = round(seconds * NANOSECONDS) + nanoseconds
        if step < 0:
            raise ArgumentError(f"The clock was asked to advance by {step} ns; it runs forward only.")
        end = self.now + step
        while self._alarms and self._alarms[0].when <= end:
            alarm = heapq.heappop(self._alarms)
            self.now = max(self.now, alarm.when)
            if not alarm.cancelled:
                alarm.call()
        self.now = end

    def state(self) -> tuple[int, int, list[Alarm]]:
        """Return what `restore` brings back: the time, the time of boot, and the alarms that are set."""
        return self.now, self.epoch, list(self._alarms)

    def restore(self, state: tuple[int, int, list[Alarm]]) -> None:
        """Go back to an earlier time. Alarms that were set since are cancelled; those that were called stay called."""
        self.now, self.epoch, alarms = state
        for alarm in [alarm for alarm in self._alarms if alarm not in alarms]:
            alarm.cancel()
        self._alarms = [alarm for alarm in self._alarms if not alarm.cancelled]
        heapq.heapify(self._alarms)

    def at(self, when: int, call: Callable[[], object]) -> Alarm:
        """Call a function when the clock reaches `when`; one that is past is called at the next advance."""
        alarm = Alarm(when, next(self._numbers), call)
        heapq.heappush(self._alarms, alarm)
        return alarm


class Chance:
    """The numbers behind get_prandom_u32 and random hash seeds: the same in every run, from a seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self.drawn = 0
        """Counts each draw and each new seed: the same number is the same place in the same sequence."""

    def seed(self, seed: int) -> None:
        """Start the sequence that belongs to this seed."""
        self.drawn += 1
        self._random.seed(seed)

    def u32(self) -> int:
        """Return the next 32 random bits."""
        self.drawn += 1
        return self._random.getrandbits(32)

    def state(self) -> object:
        """Return what `restore` brings back: the place in the sequence."""
        return self.drawn, self._random.getstate()

    def restore(self, state: object) -> None:
        """Go back to a place in the sequence."""
        drawn, inner = cast("tuple[int, Any]", state)
        if drawn != self.drawn:
            self.drawn = drawn
            self._random.setstate(inner)
