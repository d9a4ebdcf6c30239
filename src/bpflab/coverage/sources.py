"""Coverage as a reader of the source wants it: by file, its lines, branches and functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.coverage.program import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bpflab.coverage.data import CoverageData
    from bpflab.coverage.hits import Hits
    from bpflab.coverage.program import CoveredProgram

Way = tuple[Place, int]
"""Where an edge leads, and a number that tells edges to the same place apart."""

FOREIGN: Final = (Path("/usr"), Path(__file__).parent.parent / "headers")
"""Where headers are that are not the user's; they count only when they are asked for."""


@dataclass(slots=True)
class SourceCoverage:
    """One source: for each line that has instructions, whether one of them ran; branches; functions.

    `branches` are by line and column: the ways out, and whether each was gone. A place that the compiler copied (a
    function that is inlined twice) counts once: a way is gone when some copy has gone it. `functions` are those that
    the compiler kept: the line they begin at, and whether they were entered.
    """

    name: str
    lines: dict[int, bool] = field(default_factory=dict)
    branches: dict[tuple[int, int], dict[Way, bool]] = field(default_factory=dict)
    functions: dict[str, tuple[int, bool]] = field(default_factory=dict)

    @property
    def counts(self) -> Counts:
        """How much there is, and how much of it ran."""
        ways = [gone for found in self.branches.values() for gone in found.values()]
        return Counts(len(self.lines), sum(self.lines.values()), len(ways), sum(ways))

    def ways_at(self, line: int) -> list[tuple[int, Way, bool]]:
        """Return the ways out of a line's branches, in order: the column, the way, whether it was gone."""
        found = sorted((column, ways) for (at, column), ways in self.branches.items() if at == line)
        return [(column, way, ways[way]) for column, ways in found for way in sorted(ways)]


@dataclass(frozen=True, slots=True)
class Counts:
    """Lines and edges of branches: how many there are, and how many ran."""

    lines: int = 0
    lines_run: int = 0
    ways: int = 0
    ways_gone: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.lines + other.lines,
            self.lines_run + other.lines_run,
            self.ways + other.ways,
            self.ways_gone + other.ways_gone,
        )

    @property
    def percent(self) -> float:
        """The share of lines and edges together that ran; 100 where there is nothing."""
        whole = self.lines + self.ways
        return 100.0 * (self.lines_run + self.ways_gone) / whole if whole else 100.0


@dataclass(frozen=True, slots=True)
class Report:
    """What all reports are written from. `plain` are programs without source, their lines being instruction slots.

    `base` is the directory that names of sources are relative to.
    """

    sources: tuple[SourceCoverage, ...]
    plain: tuple[SourceCoverage, ...]
    base: Path
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        from bpflab.coverage.reports.table import table

        return table(self, with_missing=True)

    @property
    def total(self) -> Counts:
        """All sources together; where there are none, the instructions of programs without source."""
        return sum((each.counts for each in self.sources or self.plain), Counts())


def make_report(data: CoverageData, base: Path, wanted: Sequence[Path] = ()) -> Report:
    """Sort what was measured by source. `wanted` are files and directories; without any, all but system headers."""
    sources: dict[str, SourceCoverage] = {}
    plain = []
    for digest, program in sorted(data.programs.items(), key=lambda each: (each[1].name, each[0])):
        if program.places:
            _add(sources, program, data.hits[digest])
        else:
            plain.append(_plain(program, data.hits[digest]))
    kept = [each for name, each in sorted(sources.items()) if _is_wanted(base / name, base, wanted)]
    return Report(tuple(kept), tuple(plain), base, tuple(_notes(data)))


def _notes(data: CoverageData) -> Iterator[str]:
    for each in sorted(data.unmeasured):
        yield f"program {each.program!r} was not measured on {each.backend}: {each.reason}"


def _is_wanted(path: Path, base: Path, wanted: Iterable[Path]) -> bool:
    if not wanted:
        return not any(path.is_relative_to(each) for each in FOREIGN)
    return any(path.is_relative_to(base / each) for each in wanted)


def _add(sources: dict[str, SourceCoverage], program: CoveredProgram, hits: Hits) -> None:
    for slot in program.slots:
        place = program.place_at(slot)
        if place is not None and place.line:
            lines = _source(sources, place).lines
            lines[place.line] = lines.get(place.line, False) or bool(hits.executed >> slot & 1)
    for place, way, gone in _ways(program, hits):
        ways = _source(sources, place).branches.setdefault((place.line, place.column), {})
        ways[way] = ways.get(way, False) or gone
    for function in program.functions:
        place = program.place_at(function.slot)
        if place is not None and place.line:
            known = _source(sources, place).functions
            entered = bool(hits.executed >> function.slot & 1)
            known[function.name] = place.line, entered or known.get(function.name, (0, False))[1]


def _source(sources: dict[str, SourceCoverage], place: Place) -> SourceCoverage:
    return sources.setdefault(place.file, SourceCoverage(place.file))


def _ways(program: CoveredProgram, hits: Hits) -> Iterator[tuple[Place, Way, bool]]:
    for branch in program.branches:
        place = program.place_at(branch.slot)
        ends = _end(program, branch.after), _end(program, branch.target)
        if place is None or not place.line or ends[0] is None or ends[1] is None:
            continue
        yield place, (ends[0], 0), bool(hits.fallen >> branch.slot & 1)
        yield place, (ends[1], int(ends[0] == ends[1])), bool(hits.taken >> branch.slot & 1)


def _end(program: CoveredProgram, slot: int) -> Place | None:
    """Return the place that an edge leads to: the first from there on that has a line."""
    place = program.place_at(slot)
    if place is None or place.line:
        return place
    return next((later for at, later in program.places if at > slot and later.line), place)


def _plain(program: CoveredProgram, hits: Hits) -> SourceCoverage:
    found = SourceCoverage(program.name or "(without a name)")
    found.lines = {slot: bool(hits.executed >> slot & 1) for slot in program.slots}
    for branch in program.branches:
        ways = {
            (Place("", branch.after, 0), 0): bool(hits.fallen >> branch.slot & 1),
            (Place("", branch.target, 0), 1): bool(hits.taken >> branch.slot & 1),
        }
        found.branches[branch.slot, 0] = ways
    return found
