"""What a program's runs came to: how many, how long, with which return values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.backend.base import simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.abi.prog_types import ProgType
    from bpflab.backend.base import Backend

MOST: Final = 256
"""Return values that are told apart; a program that returns a hash has no use for more."""


class Tally:
    """The runs of the programs of one name and type in a Lab. Threads that run at once may lose a count.

    `retvals` counts the runs by return value (OTHER for those beyond the first 256 values), `nanoseconds` and
    `instructions` are sums over the runs: the former of what a kernel measured, the latter of what a simulated kernel
    executed; each is 0 on the other. A run that is repeated counts once, with its mean.
    """

    __slots__ = ("instructions", "name", "nanoseconds", "retvals", "type")

    OTHER: Final = -1

    def __init__(self, name: str, type: ProgType) -> None:  # noqa: A002 - the field's own word for it
        self.name = name
        self.type = type
        self.retvals: dict[int, int] = {}
        self.nanoseconds = 0
        self.instructions = 0

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return sum(self.retvals.values())

    def meet(self, retval: int, count: int = 1) -> None:
        """Count a return value, known or new."""
        known = retval if retval in self.retvals or len(self.retvals) < MOST else self.OTHER
        self.retvals[known] = self.retvals.get(known, 0) + count

    def add(self, retvals: Mapping[int, int], nanoseconds: int, instructions: int) -> None:
        """Add runs: how many with which return value, and what they took together."""
        for retval, count in retvals.items():
            self.meet(retval, count)
        self.nanoseconds += nanoseconds
        self.instructions += instructions

    def take(self) -> Tally:
        """Return what was counted, and begin anew."""
        taken = Tally(self.name, self.type)
        taken.retvals, taken.nanoseconds, taken.instructions = self.retvals, self.nanoseconds, self.instructions
        self.retvals, self.nanoseconds, self.instructions = {}, 0, 0
        return taken


def instruction_counter(backend: Backend) -> Callable[[], int] | None:
    """Return what tells how many instructions a simulated kernel has executed; None where none answers."""
    found = simulated(backend)
    return None if found is None else lambda: found.instructions
