"""lcov's tracefile (man geninfo, "TRACEFILE FORMAT")."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.coverage.sources import Report, SourceCoverage


def lcov(report: Report) -> str:
    """Return the tracefile: functions, branches and lines of each source; counts are 0 or 1.

    The edges out of one place in a line are a block of branches of their own.
    """
    return "".join(f"{line}\n" for source in report.sources for line in _source(report, source))


def _source(report: Report, source: SourceCoverage) -> Iterator[str]:
    yield "TN:"
    yield f"SF:{report.base / source.name}"
    yield from _functions(source)
    yield from _branches(source)
    yield from (f"DA:{line},{int(ran)}" for line, ran in sorted(source.lines.items()))
    counts = source.counts
    yield from (f"LF:{counts.lines}", f"LH:{counts.lines_run}", "end_of_record")


def _functions(source: SourceCoverage) -> Iterator[str]:
    ordered = sorted(source.functions.items(), key=lambda each: (each[1][0], each[0]))
    yield from (f"FN:{line},{name}" for name, (line, _) in ordered)
    yield from (f"FNDA:{int(entered)},{name}" for name, (_, entered) in ordered)
    yield f"FNF:{len(ordered)}"
    yield f"FNH:{sum(entered for _, (_, entered) in ordered)}"


def _branches(source: SourceCoverage) -> Iterator[str]:
    for line in sorted({line for line, _ in source.branches}):
        blocks = groupby(source.ways_at(line), key=lambda each: each[0])
        for block, (_, ways) in enumerate(blocks):
            for number, (_, _, gone) in enumerate(ways):
                yield f"BRDA:{line},{block},{number},{int(gone) if source.lines.get(line) else '-'}"
    yield f"BRF:{source.counts.ways}"
    yield f"BRH:{source.counts.ways_gone}"
