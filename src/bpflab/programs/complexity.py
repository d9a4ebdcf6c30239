"""What the verifier did with programs, kept as JSON and compared with an earlier state, as veristat does."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from bpflab.errors import ArgumentError
from bpflab.programs.verifier import VerifierStats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

VERSION: Final = 1
COMPARED: Final = ("insns", "total_states", "peak_states")
"""What is compared: the time differs from run to run, and the stack is no matter of degrees."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A figure of a program that grew by more than the limit."""

    program: str
    figure: str
    before: int
    now: int

    @property
    def percent(self) -> float:
        """How much it grew."""
        return 100 * (self.now - self.before) / self.before if self.before else float("inf")

    def __str__(self) -> str:
        return f"{self.program}: {self.figure} grew from {self.before:,} to {self.now:,} ({self.percent:+.1f} %)"


def regressions(
    now: Mapping[str, VerifierStats], before: Mapping[str, VerifierStats], limit: float
) -> list[Regression]:
    """Return what grew by more than `limit` percent; programs that are new or gone are none."""
    pairs = ((name, before[name], now[name]) for name in sorted(now.keys() & before.keys()))
    found = (
        Regression(name, figure, getattr(old, figure), getattr(new, figure))
        for name, old, new in pairs
        for figure in COMPARED
    )
    return [each for each in found if each.now > each.before and each.percent > limit]


def merged(stats: Iterable[Mapping[str, VerifierStats]]) -> dict[str, VerifierStats]:
    """Put together what several processes saw: of a program that was loaded in several ways, the dearest."""
    found: dict[str, VerifierStats] = {}
    for each in stats:
        for name, one in each.items():
            found[name] = max(found.get(name, one), one, key=lambda stats: stats.insns)
    return found


def to_json(stats: Mapping[str, VerifierStats], **facts: str) -> dict[str, Any]:
    """Return a document that `from_json` reads; `facts` such as the kernel's release go along."""
    return {"version": VERSION, **facts, "programs": {name: asdict(stats[name]) for name in sorted(stats)}}


def from_json(document: Mapping[str, Any], where: str) -> dict[str, VerifierStats]:
    """Read such a document; ArgumentError for anything else."""
    try:
        if document["version"] != VERSION:
            raise ArgumentError(f"{where} is of version {document['version']}; this bpflab reads version {VERSION}.")
        rows = document["programs"].items()
        return {name: VerifierStats(**{**row, "stack_depth": tuple(row["stack_depth"])}) for name, row in rows}
    except (KeyError, TypeError, AttributeError) as error:
        raise ArgumentError(
            f"{where} holds no statistics of the verifier; write it with --bpf-verifier-json."
        ) from error


def read_baseline(path: Path) -> dict[str, VerifierStats]:
    """Read a baseline file; ArgumentError when it cannot be read."""
    try:
        return from_json(json.loads(path.read_bytes()), str(path))
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"The baseline {path} cannot be read: {error}. Write one with --bpf-verifier-json={path}."
        ) from error
