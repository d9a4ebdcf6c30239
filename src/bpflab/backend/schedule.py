"""When a fault strikes: after so many calls, so many times, by chance from a seed. It counts what it sees."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, TypedDict

from bpflab.arguments import check_integer, check_type
from bpflab.errors import ArgumentError, FaultMissedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

MOST = 1 << 31


class When(TypedDict, total=False):
    """The options of every fault that say when it strikes.

    `after` lets so many matching calls pass first; `times` is how often it strikes then (None: always);
    `probability` is the chance of each strike, drawn from `seed`; `expected` makes the end of a `with` an error when it
    never struck.
    """

    after: int
    times: int | None
    probability: float
    seed: int
    expected: bool


class Fault:
    """A fault that was set: `hits` counts how often it struck, `seen` the calls that it looked at.

    Used as a context manager, it is removed at the end. `remove()` does so at any time.
    """

    def __init__(
        self,
        said: str,
        remove: Callable[[Fault], None],
        *,
        after: int = 0,
        times: int | None = None,
        probability: float = 1.0,
        seed: int = 0,
        expected: bool = False,
    ) -> None:
        check_integer("after", after, 0, MOST)
        if times is not None:
            check_integer("times", times, 1, MOST)
        check_type("probability", probability, (int, float), "a number from 0 to 1")
        if not 0 <= probability <= 1:
            raise ArgumentError(f"probability is {probability!r}; expected a number from 0 to 1.")
        self.said = said
        self.after = after
        self.times = times
        self.probability = probability
        self.expected = expected
        self.hits = 0
        self.seen = 0
        self.active = True
        self._chance = random.Random(seed)
        self._remove = remove
        self._lock = threading.Lock()

    def strikes(self) -> bool:
        """Count one matching call, and say whether the fault strikes it."""
        with self._lock:
            if not self.active:
                return False
            self.seen += 1
            if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
                return False
            if self.probability < 1 and self._chance.random() >= self.probability:
                return False
            self.hits += 1
            return True

    def remove(self) -> None:
        """Let calls pass from now on; the counts stay."""
        if self.active:
            self.active = False
            self._remove(self)

    def close(self) -> None:
        """Remove it: a fault belongs to its Lab as all else that is opened there."""
        self.remove()

    def check_hit(self) -> None:
        """Raise FaultMissedError when it never struck."""
        if not self.hits:
            looked = f"it saw {self.seen} of its calls" if self.seen else "no matching call was made"
            waits = f", and it waits for call {self.after + 1}" if self.seen <= self.after and self.after else ""
            raise FaultMissedError(f"The fault {self} never struck: {looked}{waits}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
        if self.expected and error is None:
            self.check_hit()

    def __str__(self) -> str:
        often = "" if self.times is None else " once" if self.times == 1 else f" {self.times} times"
        chance = "" if self.probability == 1 else f" with probability {self.probability}"
        return self.said + (f" after {self.after} calls" if self.after else "") + often + chance

    def __repr__(self) -> str:
        return f"<fault {self}, {self.hits} hits of {self.seen} calls{'' if self.active else ', removed'}>"
