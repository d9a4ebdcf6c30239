"""What a Lab offers of the simulated kernel, and of faults: all that is the test's to set."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bpflab.backend.base import simulating
from bpflab.lab.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.sim.clock import Chance, Clock
    from bpflab.sim.world import World

ResultT = TypeVar("ResultT")


class SimulatedSide(Owner):
    """The world, clock, chance and CPUs of the simulated kernel."""

    @property
    def world(self) -> World:
        """Interfaces, routes, neighbours and replaced helpers of the simulated kernel, and what programs did there.

        NotSupportedError on any other backend, as for `clock`, `random` and `cpu`.
        """
        return simulating(self.backend, "world").world

    @property
    def clock(self) -> Clock:
        """The simulated kernel's time: it stands still until `clock.advance(seconds=...)`, which fires timers."""
        return simulating(self.backend, "clock").clock

    @property
    def random(self) -> Chance:
        """The simulated kernel's random numbers: `random.seed(7)` begins the sequence of a seed."""
        return simulating(self.backend, "random numbers").random

    @property
    def cpu(self) -> int:
        """The CPU that the simulated kernel runs programs on; can be set."""
        return simulating(self.backend, "CPU").cpu

    @cpu.setter
    def cpu(self, number: int) -> None:
        simulating(self.backend, "CPU").cpu = number

    def race(self, *runs: Callable[[], ResultT], turns: Sequence[int] = ()) -> list[ResultT]:
        """Call functions that run programs at the same time, the first on CPU 0, the second on CPU 1, and so on.

        `turns` are the instructions that a CPU executes before the next one goes on, one after the other; when they are
        used up, each goes on to its end. The same turns give the same order in every run; `bpflab.testing.turns` draws
        them. The simulated kernel alone can do it (NotSupportedError); what the functions return comes back in order.
        """
        return simulating(self.backend, "CPUs").race(runs, turns)
