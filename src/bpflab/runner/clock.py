"""A clock for benchmarks that does not wobble: instructions of the guest, where qemu counts them.

`pytest --benchmark-timer=bpflab.runner.clock.now` takes it, in a Python that `bpflab bench` started. Anywhere else
`now` is wall time, and `CLOCK` says why: such figures are not deterministic.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError
from bpflab.runner.counter.file import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COUNTER: Final = "BPFLAB_COUNTER"
"""The variable that names the counter's file."""
NOT_COUNTED: Final = "BPFLAB_NOT_COUNTED"
"""The variable that says why there is none."""
SECONDS: Final = 1e-9
"""What an instruction counts as, as pytest-benchmark has its figures in seconds."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What measures: `now` in seconds, or a nanosecond for each instruction; `reason` if it does not count."""

    now: Callable[[], float]
    deterministic: bool
    reason: str = ""

    @property
    def unit(self) -> str:
        """Name what a figure of 1e-9 means."""
        return "instructions" if self.deterministic else "nanoseconds"


def clock(environment: Mapping[str, str]) -> Clock:
    """Choose by the environment; a counter that cannot be read is a reason for wall time."""
    path = environment.get(COUNTER)
    if not path:
        reason = environment.get(NOT_COUNTED, "this Python was not started to be counted")
        return Clock(perf_counter, deterministic=False, reason=reason)
    try:
        return Clock(reader(Path(path), SECONDS), deterministic=True)
    except RunnerError as error:
        return Clock(perf_counter, deterministic=False, reason=str(error))


CLOCK: Final = clock(os.environ)


def now() -> float:
    """Tell the time by CLOCK. This is the timer: pytest-benchmark wants a function that it finds by name."""
    return CLOCK.now()
