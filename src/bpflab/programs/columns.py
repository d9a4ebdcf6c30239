"""What many runs answered, in columns."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any

from bpflab.errors import ArgumentError, NotSupportedError
from bpflab.programs.result import RunResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import IntEnum

    from bpflab.programs.program import Program


class RunColumns:
    """The answers of `Program.run_many`, one row for each packet in the order in which they were given.

    `retvals` are return values (unsigned, 32 bits), `lengths` the bytes of the packets that came out, `durations`
    nanoseconds as the kernel measured them (0 in a simulated kernel), all as `array('I')`. `data` are the packets
    that came out, or None where they were not asked for. A row, `columns[i]`, is a RunResult; it needs `data`.
    """

    __slots__ = ("data", "durations", "lengths", "program", "retvals")

    def __init__(self, program: Program, *, outputs: bool) -> None:
        self.program = program
        self.retvals = array("I")
        self.lengths = array("I")
        self.durations = array("I")
        self.data: list[bytes] | None = [] if outputs else None

    @property
    def actions(self) -> list[IntEnum | int]:
        """The verdicts, as the enum of the program's type; plain retvals where they have no such meaning."""
        known = {retval: self._action(retval) for retval in set(self.retvals)}
        return [known[retval] for retval in self.retvals]

    def counts(self) -> Counter[IntEnum | int]:
        """Count the packets by their verdict."""
        return Counter({self._action(retval): count for retval, count in Counter(self.retvals).items()})

    def numpy(self) -> dict[str, Any]:
        """Return the columns `retval`, `length` and `duration` as numpy arrays of u32 on the same memory.

        NotSupportedError when numpy is not installed.
        """
        try:
            import numpy as np
        except ImportError as error:
            raise NotSupportedError("numpy is not installed; install bpflab[numpy], or use the columns.") from error
        columns = {"retval": self.retvals, "length": self.lengths, "duration": self.durations}
        return {name: np.frombuffer(column, np.uint32) for name, column in columns.items()}

    def add(self, result: RunResult) -> None:
        """Append a row."""
        self.retvals.append(result.retval)
        self.lengths.append(len(result.data))
        self.durations.append(result.duration)
        if self.data is not None:
            self.data.append(result.data)

    def _action(self, retval: int) -> IntEnum | int:
        return RunResult(self.program, retval, b"", 0, None).action

    def __getitem__(self, row: int) -> RunResult:
        if self.data is None:
            raise ArgumentError("The packets that came out were not kept; ask for them: run_many(..., outputs=True).")
        return RunResult(self.program, self.retvals[row], self.data[row], self.durations[row], None)

    def __iter__(self) -> Iterator[RunResult]:
        return map(self.__getitem__, range(len(self)))

    def __len__(self) -> int:
        return len(self.retvals)

    def __repr__(self) -> str:
        counted = ", ".join(f"{count} {getattr(action, 'name', action)}" for action, count in self.counts().items())
        return f"<{len(self)} runs of {self.program.name}: {counted or 'none'}>"
