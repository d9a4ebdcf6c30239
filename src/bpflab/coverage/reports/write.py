"""Reports by the words that ask for them: `term`, `lcov:build/bpf.lcov`, `html`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.coverage.data_file import CoverageFileError
from bpflab.coverage.reports.table import table
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bpflab.coverage.sources import Report

TERMINAL: Final = ("term", "term-missing")
PLACES: Final[Mapping[str, str]] = {
    "lcov": "bpf-coverage.lcov",
    "xml": "bpf-coverage.xml",
    "html": "bpf-coverage-html",
}
"""The reports that are written to a file or, for html, a directory, and where they go by default."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A report that was asked for: its kind, and where it goes; None for the terminal."""

    kind: str
    place: Path | None = None

    @classmethod
    def parse(cls, text: str, directory: Path) -> Wanted:
        """Read `KIND[:PLACE]`, the place being relative to a directory; ArgumentError with the kinds there are."""
        kind, colon, place = text.partition(":")
        if kind in TERMINAL and not colon:
            return cls(kind)
        if kind not in PLACES or (colon and not place):
            kinds = ", ".join((*TERMINAL, *(f"{each}[:{'DIR' if each == 'html' else 'FILE'}]" for each in PLACES)))
            raise ArgumentError(f"{text!r} is no report of coverage; expected one of {kinds}.")
        return cls(kind, directory / (place or PLACES[kind]))


def write(report: Report, wanted: Wanted) -> str:
    """Write a report and return what to say of it: the table, or where the report is. CoverageFileError."""
    if wanted.place is None:
        return table(report, with_missing=wanted.kind == "term-missing")
    try:
        for path, text in _content(report, wanted.kind, wanted.place).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise CoverageFileError(f"The {wanted.kind} report cannot be written to {wanted.place}: {error}.") from error
    return f"{wanted.kind} report written to {wanted.place}"


def _content(report: Report, kind: str, place: Path) -> dict[Path, str]:
    if kind == "lcov":
        from bpflab.coverage.reports.lcov import lcov

        return {place: lcov(report)}
    if kind == "xml":
        from bpflab.coverage.reports.cobertura import cobertura

        return {place: cobertura(report)}
    from bpflab.coverage.reports.html import html

    return {place / name: text for name, text in html(report).items()}
