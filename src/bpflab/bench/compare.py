"""Two results side by side, each target with itself: what changed, and what changed by more than is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.bench.results import Measurement, Results

_TOLD: Final = ("python", "libc", "qemu", "cpu", "pytest-benchmark")
"""Facts that change the figures of code that did not change."""


@dataclass(frozen=True, slots=True)
class Change:
    """A benchmark on a target in both results: the ratio of the new value to the old one.

    `binding` says that both were counted. Wall times differ by themselves, and are told but not judged.
    """

    test: str
    target: str
    ratio: float
    binding: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """The changes, the benchmarks of targets in both results that only one has, and what else differs."""

    changes: tuple[Change, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]
    notes: tuple[str, ...]

    def over(self, limit: float) -> list[Change]:
        """List the binding changes for the worse by more than a limit, a share such as 0.005; the worst first."""
        found = [each for each in self.changes if each.binding and each.ratio > 1 + limit]
        return sorted(found, key=lambda each: -each.ratio)

    @property
    def ratios(self) -> Mapping[tuple[str, str], float]:
        """Give the ratios by test and target."""
        return {(each.test, each.target): each.ratio for each in self.changes}


def compare(base: Results, now: Results) -> Comparison:
    """Compare results with older ones, benchmark by benchmark within each target."""
    shared = base.targets.keys() & now.targets.keys()
    old = {key: each for key, each in _by_key(base).items() if key[1] in shared}
    new = {key: each for key, each in _by_key(now).items() if key[1] in shared}
    changes = tuple(_change(old[key], each) for key, each in new.items() if key in old and old[key].unit == each.unit)
    notes = [note for name in now.targets if name in shared for note in _notes(name, base, now)]
    return Comparison(changes, _names(old, new), _names(new, old), tuple(notes))


def limit(text: str) -> float:
    """Read a limit such as `0.5%` as a share; ArgumentError if it is none."""
    number, sign, rest = text.strip().partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not sign or rest or not 0 <= share < float("inf"):
        raise ArgumentError(f"The limit {text!r} is no percentage; expected something like 0.5%.")
    return share


def _by_key(results: Results) -> dict[tuple[str, str], Measurement]:
    return {(each.test, each.target): each for each in results.measurements}


def _change(old: Measurement, new: Measurement) -> Change:
    ratio = new.value / old.value if old.value else (1.0 if new.value == old.value else float("inf"))
    return Change(new.test, new.target, ratio, old.deterministic and new.deterministic)


def _names(some: Mapping[tuple[str, str], Any], others: Mapping[tuple[str, str], Any]) -> tuple[str, ...]:
    return tuple(f"{test} on {target}" for test, target in some if (test, target) not in others)


def _notes(target: str, base: Results, now: Results) -> list[str]:
    old, new = base.targets[target], now.targets[target]
    return [
        f"{target}: {name} was {old.get(name)}, now it is {new.get(name)}"
        for name in _TOLD
        if old.get(name) != new.get(name)
    ]
