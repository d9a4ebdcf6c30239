"""What a test's runs came to, as properties of its report: JUnit XML has them, and the summary is made of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

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
    verdicts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        verdicts = ",".join(f"{name}:{count}" for name, count in sorted(self.verdicts.items()))
        took = f" ns={self.ns}" if self.ns else ""
        steps = f" instructions={self.instructions}" if self.instructions else ""
        return f"runs={self.runs}{took}{steps} verdicts={verdicts}"

    def add(self, text: str) -> None:
        """Add what another one's text says."""
        parts = dict(part.split("=", 1) for part in text.split(" "))
        self.runs += int(parts["runs"])
        self.ns += int(parts.get("ns", 0))
        self.instructions += int(parts.get("instructions", 0))


def note_runs(item: pytest.Item, lab: Lab) -> None:
    """Note the runs in a Lab since the last note as properties of the test's report."""
    tallies = lab.take_tallies()
    if not tallies:
        return
    release = ".".join(map(str, lab.backend.release))
    told = dict(item.user_properties)
    sums = {str(name): _sums(tally) for name, tally in _by_name(tallies).items()}
    item.user_properties += [(f"{PROGRAM}{name}", str(each)) for name, each in sums.items()]
    item.user_properties.append((RUNS, sum(each.runs for each in sums.values())))
    if KERNEL not in told:
        item.user_properties.append((KERNEL, release))


def _by_name(tallies: Iterable[Tally]) -> Mapping[str, Tally]:
    return {tally.name or tally.type.name.lower(): tally for tally in tallies}


def _sums(tally: Tally) -> Sums:
    verdicts = Counter({_verdict(tally, retval): count for retval, count in tally.retvals.items()})
    return Sums(tally.runs, tally.nanoseconds, tally.instructions, verdicts)


def _verdict(tally: Tally, retval: int) -> str:
    from bpflab.abi.verdicts import verdict_of

    if retval == tally.OTHER:
        return "other"
    verdict = verdict_of(tally.type, retval)
    return str(retval) if verdict is None else verdict.name
