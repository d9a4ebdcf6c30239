"""What a build says while it goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import TextIO


class Progress(Protocol):
    """Hears of each stage of a build (`total` 0), and of the steps done within it."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Tell of a stage, or that `done` of its `total` steps are done."""


def silent(stage: str, done: int = 0, total: int = 0) -> None:
    """Tell nobody."""


class Printed:
    """Writes stages as lines to a stream, by default standard error; on a terminal, steps too, in one line."""

    def __init__(self, prefix: str, stream: TextIO | None = None) -> None:
        self._prefix = prefix
        self._stream = stream or sys.stderr
        self._open = False

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Write a stage or a step."""
        if not total:
            self.close()
            self._stream.write(f"{self._prefix}: {stage}\n")
        elif self._stream.isatty():
            self._stream.write(f"\r\x1b[K{self._prefix}: {stage} {done}/{total}")
            self._open = True
        self._stream.flush()

    def close(self) -> None:
        """End a line of steps, if one is open."""
        if self._open:
            self._stream.write("\n")
            self._open = False
