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
    """Programs and hits by digest."""

    programs: dict[str, CoveredProgram] = field(default_factory=dict)
    hits: dict[str, Hits] = field(default_factory=dict)
    unmeasured: set[Unmeasured] = field(default_factory=set)

    def know(self, program: CoveredProgram) -> None:
        """Note that a program exists, whether it runs or not."""
        self.programs.setdefault(program.digest, program)
        self.hits.setdefault(program.digest, Hits())

    def add(self, digest: str, hits: Hits) -> None:
        """Add what ran of a program."""
        self.hits[digest] |= hits

    def merge(self, other: CoverageData) -> None:
        """Add what somebody else measured."""
        for digest, program in other.programs.items():
            self.know(program)
            self.add(digest, other.hits[digest])
        self.unmeasured |= other.unmeasured

    @property
    def edges(self) -> int:
        """How many different edges of conditional jumps were gone, in all programs."""
        return sum(hits.edges for hits in self.hits.values())
