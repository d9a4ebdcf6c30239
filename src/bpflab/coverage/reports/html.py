"""Pages with the sources in colour: an index and a page for each source, which need nothing but themselves."""

from __future__ import annotations

import hashlib
import re
from html import escape
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING

from bpflab.coverage.missing import way_text
from bpflab.coverage.reports.colour import coloured_lines
from bpflab.coverage.reports.table import shown_percent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpflab.coverage.sources import Counts, Report, SourceCoverage

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
HEADINGS = ("Source", "Lines", "Missed", "Branches", "Missed", "Cover")


def html(report: Report) -> dict[str, str]:
    """Return the pages by file name; `index.html` leads to the others."""
    style = files("bpflab.coverage.reports").joinpath("style.css").read_text("utf-8")
    pages = {page_name(source): _source_page(report, source) for source in report.sources}
    bodies = {"index.html": ("Coverage of BPF programs", _index(report)), **pages}
    return {name: PAGE.format(title=escape(title), style=style, body=body) for name, (title, body) in bodies.items()}


def page_name(source: SourceCoverage) -> str:
    """Name a source's page: readable, and not the same for two sources."""
    readable = re.sub(r"[^\w.-]+", "_", PurePath(source.name).name)
    return f"{readable}-{hashlib.sha256(source.name.encode()).hexdigest()[:8]}.html"


def _index(report: Report) -> str:
    rows = [_row(f'<a href="{page_name(each)}">{escape(each.name)}</a>', each.counts) for each in report.sources]
    rows += [_row(f"{escape(each.name)} (no source; instructions)", each.counts) for each in report.plain]
    head = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    foot = _row("Total", report.total)
    notes = "".join(f"<p class=note>{escape(note)}</p>\n" for note in report.notes)
    table = (
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>\n<tfoot>{foot}</tfoot>\n</table>"
    )
    return f"<h1>Coverage of BPF programs: {shown_percent(report.total)}</h1>\n{table}\n{notes}"


def _row(name: str, counts: Counts) -> str:
    numbers = (counts.lines, counts.lines - counts.lines_run, counts.ways, counts.ways - counts.ways_gone)
    cells = "".join(f"<td>{number}</td>" for number in (*numbers, shown_percent(counts)))
    return f"<tr><td>{name}</td>{cells}</tr>\n"


def _source_page(report: Report, source: SourceCoverage) -> tuple[str, str]:
    lines = "\n".join(_lines(source, _text(report.base / source.name)))
    counts = source.counts
    said = (
        f"{shown_percent(counts)}: {counts.lines_run} of {counts.lines} lines ran, "
        f"{counts.ways_gone} of {counts.ways} ways of branches were gone"
    )
    head = f'<p><a href="index.html">All sources</a></p>\n<h1>{escape(source.name)}</h1>\n<p>{said}</p>'
    return source.name, f"{head}\n<pre>\n{lines}\n</pre>"


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return None


def _lines(source: SourceCoverage, text: str | None) -> Iterator[str]:
    if text is None:
        yield "<span class=note>The source is not here; these are the lines that have instructions.</span>"
        yield from (_line(source, line, "") for line in sorted(source.lines))
        return
    for line, coloured in enumerate(coloured_lines(text), 1):
        yield _line(source, line, coloured)


def _line(source: SourceCoverage, line: int, coloured: str) -> str:
    ways = source.ways_at(line)
    missed = [way_text(source, end) for _, (end, _), gone in ways if not gone]
    ran = source.lines.get(line)
    kind = "none" if ran is None else "missed" if not ran else "partial" if missed else "run"
    told = f"<b>{len(ways) - len(missed)} of {len(ways)} ways; not to {escape(', '.join(missed))}</b>" if missed else ""
    number = f'<a href="#L{line}">{line:>5}</a>'
    return (
        f'<span id="L{line}" class="line {kind}">{number} <i>{_MARKS[kind]}</i> {coloured}{told if ran else ""}</span>'
    )


_MARKS = {"none": " ", "run": "+", "missed": "!", "partial": "~"}
"""What a line says to who does not see its colour."""
