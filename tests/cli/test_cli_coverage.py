"""`bpflab coverage`: reports from files that sessions left."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bpflab.cli import main
from bpflab.coverage import CoverageData, CoveredProgram, Hits, read_file, write_file

PROGRAM = CoveredProgram("plain", "3" * 64, (0, 1, 2, 3), ())


@pytest.fixture(autouse=True)
def two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, executed in ((".bpf-coverage", 0b0011), ("other", 0b0110)):
        data = CoverageData()
        data.know(PROGRAM)
        data.add(PROGRAM.digest, Hits(executed))
        write_file(tmp_path / name, data)


def test_what_the_last_session_measured_is_shown() -> None:
    result = CliRunner().invoke(main, ["coverage", "report"])
    assert result.output.splitlines()[2] == "plain                        4      2         0      0    50%  2-3"


def test_several_files_are_reported_together() -> None:
    result = CliRunner().invoke(main, ["coverage", "report", ".bpf-coverage", "other", "--fail-under", "76"])
    assert " 75%" in result.output
    assert result.exit_code == 1


def test_files_are_merged_into_one() -> None:
    result = CliRunner().invoke(main, ["coverage", "merge", ".bpf-coverage", "other", "-o", "all"])
    assert result.output == "2 files merged into all\n"
    assert read_file(Path("all")).hits[PROGRAM.digest] == Hits(0b0111)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nowhere"], "cannot be read from nowhere"), (["--format", "csv"], "'csv' is no report of coverage")],
)
def test_a_mistake_is_answered_in_a_sentence(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["coverage", "report", *arguments])
    assert result.exit_code == 2
    assert said in result.output
