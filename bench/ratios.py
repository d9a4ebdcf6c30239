"""The table of ratios that a run of the benchmarks ends with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What an operation of one benchmark took, in seconds of the timer, and how many times the others' time that is."""

    group: str
    subject: str
    way: str
    place: str
    each: float
    ratios: Mapping[str, float]


def table(rows: Sequence[Row], *, seconds: bool) -> Iterator[str]:
    """Yield the lines of a Markdown table; `seconds` says whether the timer counts those, and not instructions."""
    head = ["group", "what", "way", "at", "ns each" if seconds else "instructions each", "times the time of"]
    yield _line(head)
    yield _line(["---"] * len(head))
    for row in rows:
        each = row.each * 1e9 if seconds else row.each
        others = ", ".join(f"{name} {_ratio(ratio)}" for name, ratio in row.ratios.items())
        yield _line([row.group, row.subject, row.way, row.place, f"{each:,.0f}", others])


def _ratio(number: float) -> str:
    return f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
