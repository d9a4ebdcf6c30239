"""`bpflab coverage`: reports from files of measurements, and several of them put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bpflab.coverage import CoverageData

FILE = click.Path(path_type=Path)


@click.group("coverage")
def command() -> None:
    """Report what `pytest --bpf-cov` measured, and put several measurements together."""


@command.command()
@click.argument("data", nargs=-1, type=FILE)
@click.option("--format", "formats", multiple=True, default=["term-missing"], show_default=True, metavar="KIND")
@click.option("--source", "sources", multiple=True, type=FILE, help="Report the files under it alone; several times.")
@click.option("--fail-under", type=float, help="End with exit code 1 when less percent ran.")
def report(
    data: tuple[Path, ...], formats: tuple[str, ...], sources: tuple[Path, ...], fail_under: float | None
) -> None:
    """Report measurements of the files DATA, by default .bpf-coverage.

    KIND is term, term-missing, lcov[:FILE], xml[:FILE] or html[:DIR]; several times.
    """
    from bpflab.coverage.reports.write import Wanted, write
    from bpflab.coverage.sources import make_report

    base = Path.cwd()
    made = make_report(together(data), base, [base / source for source in sources])
    for each in formats:
        click.echo(write(made, Wanted.parse(each, base)))
    if fail_under is not None and made.total.percent < fail_under:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("data", nargs=-1, type=FILE, required=True)
@click.option("-o", "--output", type=FILE, default=Path(".bpf-coverage"), show_default=True, help="Where to write.")
def merge(data: tuple[Path, ...], output: Path) -> None:
    """Put the measurements of the files DATA into one file."""
    from bpflab.coverage import write_file

    write_file(output, together(data))
    click.echo(f"{len(data)} files merged into {output}")


def together(paths: tuple[Path, ...]) -> CoverageData:
    """Read files of measurements and put them together; CoverageFileError."""
    from bpflab.coverage import CoverageData, read_file

    data = CoverageData()
    for path in paths or (Path(".bpf-coverage"),):
        data.merge(read_file(path))
    return data
