"""`--bpf-json=FILE`: what every test ran, as one JSON document; docs/suites.md describes its fields.

Each worker of pytest-xdist sends its runs with its reports; the session that collects them writes the file, beside it
first, and then in its place. A file that cannot be written is told in the summary and changes nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_bpflab.tallies import BACKEND

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_bpflab.runs import Run

VERSION: Final = 1
"""Of the document: a field that changes its meaning changes this."""
MOST: Final = 1000
"""Runs of one test that are listed; `runs_total` counts all."""
_RUNS: Final = pytest.StashKey["list[dict[str, Any]]"]()
_TOTAL: Final = pytest.StashKey[int]()


def add_options(group: pytest.OptionGroup) -> None:
    """Add the option."""
    group.addoption(
        "--bpf-json",
        default=None,
        dest="bpf_json",
        metavar="FILE",
        help="write what each test ran to FILE as JSON: program, verdict, retval, ns, instructions, packet length",
    )


def configure(config: pytest.Config) -> None:
    """Listen to runs where the document was asked for."""
    if config.getoption("bpf_json"):
        config.pluginmanager.register(JsonReport(config), "bpflab-json")


class JsonReport:
    """Collects the runs of each test, and writes them when the session ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._path = Path(config.invocation_params.dir, config.getoption("bpf_json"))
        self._worker = hasattr(config, "workerinput")
        self._tests: dict[str, dict[str, Any]] = {}
        self._failure = ""

    def pytest_bpf_run(self, item: pytest.Item, run: Run) -> None:
        """Note a run."""
        item.stash[_TOTAL] = item.stash.get(_TOTAL, 0) + 1
        runs = item.stash.setdefault(_RUNS, [])
        if len(runs) < MOST:
            runs.append(row_of(run))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send the runs along with the report of the test's end, which is what a worker sends."""
        report = yield
        if report.when == "teardown" and _RUNS in item.stash:
            setattr(report, _SENT, {"runs": item.stash[_RUNS], "runs_total": item.stash[_TOTAL]})
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a report of this process or of a worker."""
        test = self._tests.setdefault(
            report.nodeid, {"outcome": "passed", "seconds": 0.0, "backend": None, "runs_total": 0, "runs": []}
        )
        test["seconds"] = round(test["seconds"] + report.duration, 6)
        if report.outcome != "passed" and test["outcome"] == "passed":
            test["outcome"] = report.outcome
        properties = dict(report.user_properties)
        test["backend"] = properties.get(BACKEND, test["backend"])
        test.update(getattr(report, _SENT, {}))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the document, however the session ended."""
        if self._worker:
            return
        try:
            write_whole(self._path, json.dumps(document(self._tests, int(exitstatus)), indent=1) + "\n")
        except OSError as error:
            self._failure = f"{self._path} could not be written: {error.strerror}. What is printed here is whole."

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the document is, or why there is none."""
        if self._failure:
            terminalreporter.write_line(f"bpf: --bpf-json: {self._failure}", yellow=True)
        else:
            terminalreporter.write_line(f"bpf: runs of {len(self._tests)} tests written to {self._path}")


_SENT: Final = "bpf_json"
"""The attribute of a report that holds the runs."""


def row_of(run: Run) -> dict[str, Any]:
    """Describe one run."""
    verdict = run.verdict
    return {
        "program": run.program,
        "type": run.type.name.lower(),
        "backend": run.backend,
        "kernel": run.kernel,
        "verdict": None if verdict is None else verdict.name,
        "retval": run.retval,
        "errno": run.errno,
        "ns": run.duration,
        "instructions": run.instructions,
        "repeat": run.repeat,
        "packet_length": len(run.packet),
        "output_length": len(run.output),
    }


def document(tests: dict[str, dict[str, Any]], exitstatus: int) -> dict[str, Any]:
    """Put the document together."""
    import platform

    import bpflab

    versions = {"bpflab": bpflab.__version__, "pytest": pytest.__version__, "python": platform.python_version()}
    rows = [{"test": nodeid, **test} for nodeid, test in tests.items()]
    return {"version": VERSION, "versions": versions, "exitstatus": exitstatus, "tests": rows}


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place first, so that there is a whole one or none; devices are written to as they are."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    descriptor, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
