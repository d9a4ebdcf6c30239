"""What a test lays down for a mock: answers and errors for calls that match, each used so many times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import errno_name
from bpflab.arguments import check_integer
from bpflab.backend.call_names import BESIDE, check_fields, errno_number
from bpflab.backend.calls import Call, shown
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from typing import Self

    from bpflab.backend.match import Match

Function = Callable[[Call], int | None]
MOST: Final = 1 << 31


class Default:
    """Stands for the answer that a mock gives where nothing is scripted."""


DEFAULT: Final = Default()


@dataclass(slots=True)
class Step:
    """One answer of a script: what it does, what that is called, and how often it may be used (None: always)."""

    answer: Callable[[Call], int | Default | None]
    said: str
    times: int | None
    used: int = 0

    @property
    def left(self) -> bool:
        """Whether it can be used once more."""
        return self.times is None or self.used < self.times

    @property
    def wanting(self) -> bool:
        """Whether it was used less often than it was laid down for; `always` is content with once."""
        return self.used < (1 if self.times is None else self.times)

    def __str__(self) -> str:
        often = "always" if self.times is None else "once" if self.times == 1 else f"{self.times} times"
        return f"{self.said}, {often}"


class Script:
    """The answers to calls that match, used in the order in which they are laid down; what follows them is default.

        mock.on("MAP_UPDATE_ELEM", key=7).fails("EBUSY", times=2).answers()

    Each method adds a step and returns the script. `times` is how many calls a step answers, None every further one.
    """

    def __init__(self, match: Match) -> None:
        self.match = match
        self.steps: list[Step] = []

    def answers(self, result: int | None = None, *, times: int | None = 1, **out: object) -> Self:
        """Answer a result, with fields and buffers written by name; ArgumentError for a name that no field has.

        Given nothing it is the default answer: `answers(times=2).fails("ENOMEM")` fails the third call. With `out`
        alone, a command that creates something answers a fresh descriptor, any other 0. `out` may be `value`, `retval`,
        `data_out`, ...; for `mmap` it is `memory`, for `poll` `ready`.
        """
        if result is not None:
            check_integer("result", result, 0, MOST)
        self._check_out(out)

        def answer(call: Call) -> int | Default | None:
            if result is None and not out:
                return DEFAULT
            for name, value in out.items():
                call.fill(name, value)
            return result

        written = [f"{name}={shown(value)}" for name, value in out.items()]
        first = [] if result is None else [str(result)]
        return self._add(answer, f"answers({', '.join(first + written)})", times)

    def fails(self, error: str | int, *, times: int | None = 1, **out: object) -> Self:
        """Answer an error, given as `E2BIG` or its number; `out` as in `answers`, such as PROG_LOAD's `log_buf`."""
        number = errno_number(error)
        self._check_out(out)

        def answer(call: Call) -> int:
            for name, value in out.items():
                call.fill(name, value)
            return -number

        return self._add(answer, f"fails({errno_name(number)})", times)

    def does(self, function: Function, *, times: int | None = None) -> Self:
        """Ask a function of the call, every time unless `times` is given.

        It reads the call's fields, may write with `call.fill(name, value)`, and returns the result, a negative errno,
        or None for 0 (a fresh descriptor where something is created).
        """
        if not callable(function):
            raise ArgumentError(f"does() was given {function!r}; expected a function of the call.")
        return self._add(function, f"does({getattr(function, '__name__', repr(function))})", times)

    def next_step(self, call: Call) -> Step | None:
        """Return the step that answers a call; None when it does not match or the steps are used up."""
        step = next((step for step in self.steps if step.left), None)
        return step if step is not None and self.match.fits(call) else None

    def unused(self) -> list[str]:
        """Say which steps were used less often than they were laid down for."""
        return [f"{self.match}.{step}, used {step.used} times" for step in self.steps if step.wanting]

    def _add(self, answer: Callable[[Call], int | Default | None], said: str, times: int | None) -> Self:
        if times is not None:
            check_integer("times", times, 1, MOST)
        self.steps.append(Step(answer, said, times))
        return self

    def _check_out(self, out: dict[str, object]) -> None:
        if not self.match.commands & BESIDE.keys():
            check_fields(self.match.commands, out)

    def __repr__(self) -> str:
        return ".".join([f"<on {self.match}", *map(str, self.steps)]) + ">"
