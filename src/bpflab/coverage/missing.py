"""What did not run of a source, in a line of text: ranges of lines, and ways that were not gone."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.coverage.program import Place
    from bpflab.coverage.sources import SourceCoverage


def missing(source: SourceCoverage) -> str:
    """Say what did not run, as in `23-25, 31, 40->43`: lines, and jumps of lines that ran, in order."""
    parts = [(first, _range(first, last)) for first, last in missed_ranges(source)]
    parts += [(line, text) for line, text in _missed_ways(source) if source.lines[line]]
    return ", ".join(text for _, text in sorted(dict.fromkeys(parts), key=lambda part: part[0]))


def missed_ranges(source: SourceCoverage) -> Iterator[tuple[int, int]]:
    """Yield the first and last line of each run of lines that were missed; lines without code do not part them."""
    first = last = None
    for line, ran in sorted(source.lines.items()):
        if not ran:
            first, last = (line if first is None else first), line
        elif first is not None and last is not None:
            yield first, last
            first = last = None
    if first is not None and last is not None:
        yield first, last


def way_text(source: SourceCoverage, end: Place) -> str:
    """Name where a way leads: the line, with its file where that is another one; `?` where no line is known."""
    if not end.line and end.file:
        return "?"
    here = end.file == source.name or not end.file
    return f"{end.line}" if here else f"{PurePath(end.file).name}:{end.line}"


def _missed_ways(source: SourceCoverage) -> Iterator[tuple[int, str]]:
    several = {line for line, _ in source.branches if sum(at == line for at, _ in source.branches) > 1}
    for (line, column), ways in sorted(source.branches.items()):
        start = f"{line}:{column}" if line in several else f"{line}"
        for (end, _), gone in sorted(ways.items()):
            if not gone:
                yield line, f"{start}->{way_text(source, end)}"


def _range(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}-{last}"
