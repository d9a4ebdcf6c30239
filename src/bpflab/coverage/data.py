"""What was measured: programs, what ran of them, and those that could not be measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bpflab.coverage.hits import Hits

if TYPE_CHECKING:
    from bpflab.coverage.program import CoveredProgram


@dataclass(frozen=True, slots=True, order=True)
class Unmeasured:
    """A program that a backend ran without being measured there, and why."""

    program: str
    backend: str
    reason: str


@dataclass(slots=True)
class CoverageData:
    """Programs and hits by digest. `changes` grows whenever something new is noted."""

    programs: dict[str, CoveredProgram] = field(default_factory=dict)
    hits: dict[str, Hits] = field(default_factory=dict)
    unmeasured: set[Unmeasured] = field(default_factory=set)
    changes: int = field(default=0, compare=False)

    def know(self, program: CoveredProgram) -> None:
        """Note that a program exists, whether it runs or not."""
        if program.digest not in self.programs:
            self.programs[program.digest] = program
            self.hits[program.digest] = Hits()
            self.changes += 1

    def add(self, digest: str, hits: Hits) -> None:
        """Add what ran of a program."""
        together = self.hits[digest] | hits
        if together != self.hits[digest]:
            self.hits[digest] = together
            self.changes += 1

    def note(self, unmeasured: Unmeasured) -> None:
        """Note that a program was not measured."""
        self.changes += unmeasured not in self.unmeasured
        self.unmeasured.add(unmeasured)

    def merge(self, other: CoverageData) -> None:
        """Add what somebody else measured."""
        for digest, program in other.programs.items():
            self.know(program)
            self.add(digest, other.hits[digest])
        for unmeasured in other.unmeasured:
            self.note(unmeasured)

    @property
    def edges(self) -> int:
        """How many different edges of conditional jumps were gone, in all programs."""
        return sum(hits.edges for hits in self.hits.values())
