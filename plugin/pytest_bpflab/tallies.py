"""What a test's runs came to, as properties of its report: JUnit XML has them, and the summary is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

    from bpflab.abi.prog_types import ProgType
    from bpflab.lab import Lab
    from bpflab.programs.tally import Tally

BACKEND: Final = "bpf_backend"
KERNEL: Final = "bpf_kernel"
RUNS: Final = "bpf_runs"
PROGRAM: Final = "bpf_program:"
"""Properties: backend, kernel's version, number of runs, and for each program (named behind the colon) its runs."""


@dataclass(slots=True)
class Sums:
    """Runs of a program, and what they took together, in nanoseconds or in simulated instructions."""

    runs: int = 0
    ns: int = 0
    instructions: int = 0

    def add(self, text: str) -> None:
        """Add what the property of a test says."""
        parts = dict(part.split("=", 1) for part in text.split(" "))
        self.runs += int(parts["runs"])
        self.ns += int(parts.get("ns", 0))
        self.instructions += int(parts.get("instructions", 0))


def note_runs(item: pytest.Item, lab: Lab) -> None:
    """Note the runs in a Lab since the last note as properties of the test's report."""
    tallies = lab.take_tallies()
    if not tallies:
        return
    properties = item.user_properties
    properties += [(f"{PROGRAM}{tally.name or tally.type.name.lower()}", _told(tally)) for tally in tallies]
    properties.append((RUNS, sum(tally.runs for tally in tallies)))
    properties.append((KERNEL, _version(lab.backend.release)))


def _told(tally: Tally) -> str:
    """Say what `Sums.add` reads again."""
    verdicts = ",".join(sorted([f"{_verdict(tally.type, retval)}:{count}" for retval, count in tally.retvals.items()]))
    took = f" ns={tally.nanoseconds}" if tally.nanoseconds else ""
    steps = f" instructions={tally.instructions}" if tally.instructions else ""
    return f"runs={tally.runs}{took}{steps} verdicts={verdicts}"


@lru_cache(maxsize=1024)
def _verdict(kind: ProgType, retval: int) -> str:
    from bpflab.abi.verdicts import verdict_of
    from bpflab.programs.tally import Tally

    if retval == Tally.OTHER:
        return "other"
    verdict = verdict_of(kind, retval)
    return str(retval) if verdict is None else verdict.name


@lru_cache(maxsize=16)
def _version(release: tuple[int, int, int]) -> str:
    return ".".join(map(str, release))
