"""What is known of a program before it runs: its instructions, branches and functions, and where each came from."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.coverage.flow import Branch


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a source: the file, and line and column from 1 (0: the compiler does not say)."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a program: its name, and the slot it begins at."""

    name: str
    slot: int


@dataclass(frozen=True, slots=True)
class CoveredProgram:
    """A program that coverage is measured of.

    `digest` tells programs apart: it is made of the name, the form of the instructions and their places, so that it
    is the same wherever the program is loaded. `slots` are those at which an instruction begins. `places` gives the
    source from a slot on, in order; it is empty where the program was loaded without line info.
    """

    name: str
    digest: str
    slots: tuple[int, ...]
    branches: tuple[Branch, ...]
    functions: tuple[Function, ...] = ()
    places: tuple[tuple[int, Place], ...] = ()

    def place_at(self, slot: int) -> Place | None:
        """Return the place that a slot belongs to; None before the first."""
        found = bisect_right(self.places, slot, key=lambda each: each[0])
        return self.places[found - 1][1] if found else None
