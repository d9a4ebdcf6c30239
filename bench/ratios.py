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
    peers = list(dict.fromkeys(name for row in rows for name in row.ratios))
    unit = "ns each" if seconds else "instructions each"
    head = ["group", "what", "way", "at", unit, *(f"times {name}" for name in peers)]
    yield _line(head)
    yield _line(["---"] * len(head))
    for row in rows:
        each = row.each * 1e9 if seconds else row.each
        ratios = [f"{row.ratios[name]:.2f}" if name in row.ratios else "" for name in peers]
        yield _line([row.group, row.subject, row.way, row.place, f"{each:,.0f}", *ratios])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
