"""The table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.coverage.missing import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpflab.coverage.sources import Counts, Report, SourceCoverage

NOTHING: Final = "No BPF program was loaded through a Lab that is measured."


def table(report: Report, *, with_missing: bool = False) -> str:
    """Return the coverage of each source in a row, with the total; programs without source follow by themselves."""
    parts = []
    if report.sources:
        parts.append(_rows("Source", "Lines", report.sources, with_missing=with_missing))
    if report.plain:
        parts.append(_rows("Program without source", "Insns", report.plain, with_missing=with_missing))
    return "\n\n".join(["\n".join(part) for part in parts] or [NOTHING]) + "".join(f"\n{each}" for each in report.notes)


def shown_percent(counts: Counts) -> str:
    """Round to a whole percent; 0 and 100 are said only of nothing and all."""
    percent = counts.percent
    whole = round(percent)
    if 0 < percent < 100:
        whole = min(max(whole, 1), 99)
    return f"{whole}%"


def _rows(title: str, unit: str, sources: Iterable[SourceCoverage], *, with_missing: bool) -> Iterator[str]:
    each = [(source.name, source.counts, missing(source) if with_missing else "") for source in sources]
    total = sum((counts for _, counts, _ in each[1:]), each[0][1])
    width = max(len(title), len("TOTAL"), *(len(name) for name, _, _ in each))
    head = f"{title:<{width}}  {unit:>6} {'Miss':>6} {'Branches':>9} {'Miss':>6} {'Cover':>6}"
    rule = "-" * (len(head) + (9 if with_missing else 0))
    yield from (head + ("  Missing" if with_missing else ""), rule)
    yield from (_row(width, name, counts, text) for name, counts, text in each)
    yield from (rule, _row(width, "TOTAL", total, ""))


def _row(width: int, name: str, counts: Counts, text: str) -> str:
    missed, ways = counts.lines - counts.lines_run, counts.ways - counts.ways_gone
    numbers = f"{counts.lines:>6} {missed:>6} {counts.ways:>9} {ways:>6} {shown_percent(counts):>6}"
    return f"{name:<{width}}  {numbers}  {text}".rstrip()
