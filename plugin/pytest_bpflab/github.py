"""Annotations of GitHub: failures shown on the line of the C source, or of the test, where they belong.

A line `::error file=…,line=…::text` in the output of a workflow is one ("Workflow commands" in GitHub's documentation).
They are printed where the environment says GITHUB_ACTIONS=true, for tests that ask for a backend.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_bpflab.tallies import BACKEND

if TYPE_CHECKING:
    from collections.abc import Generator

VARIABLE: Final = "GITHUB_ACTIONS"
OTHERS: Final = "github_actions_annotate_failures"
"""A plugin that annotates failing tests on the test's own line; then that is left to it."""
_SENT: Final = "bpf_place"
"""The attribute of a report that holds the place in the source."""
Place = tuple[str, int, str]


def configure(config: pytest.Config) -> None:
    """Annotate where a workflow of GitHub runs; workers of pytest-xdist send the places with their reports."""
    if os.environ.get(VARIABLE) == "true":
        config.pluginmanager.register(Annotations(config), "bpflab-annotations")


class Annotations:
    """Finds the place of each failure, and prints them all at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._root = Path(os.environ.get("GITHUB_WORKSPACE") or config.rootpath)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note where in the source of a program a failure has its cause, if that is where it is."""
        report = yield
        if report.failed and call.excinfo is not None:
            place = place_of(call.excinfo.value)
            if place:
                setattr(report, _SENT, list(place))
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print an annotation for each failure."""
        failures = [*terminalreporter.stats.get("failed", ()), *terminalreporter.stats.get("error", ())]
        for report in failures:
            if isinstance(report, pytest.TestReport) and BACKEND in dict(report.user_properties):
                line = self._annotation(report)
                if line:
                    terminalreporter.ensure_newline()
                    terminalreporter.write_line(line)

    def _annotation(self, report: pytest.TestReport) -> str:
        sent = getattr(report, _SENT, None)
        if sent:
            file, line, text = sent
            return annotation(self._shown(Path(file)), line, report.nodeid, text)
        if self._config.pluginmanager.has_plugin(OTHERS):
            return ""
        crash = getattr(report.longrepr, "reprcrash", None)
        path, number, _ = report.location
        path, line = (crash.path, crash.lineno) if crash else (path, (number or 0) + 1)
        text = crash.message if crash else report.longreprtext
        return annotation(self._shown(self._config.rootpath / path), line, report.nodeid, text)

    def _shown(self, path: Path) -> str:
        whole = path if path.is_absolute() else self._config.rootpath / path
        return str(whole.relative_to(self._root) if whole.is_relative_to(self._root) else path)


def place_of(error: BaseException) -> Place | None:
    """Return file, line and words of a refusal by the verifier or of a fault; None for any other error."""
    errors = sys.modules.get("bpflab.errors")
    if errors is None:  # no error of a library that nobody imported
        return None
    from bpflab.programs.verifier import VerifierError

    refusal = getattr(error, "error", None)
    if isinstance(refusal, VerifierError):  # of a refusal other than the one that was expected
        error = refusal
    if isinstance(error, VerifierError) and error.line is not None:
        return error.line.file, error.line.line, f"The verifier refused {error.program!r}: {error.reason}"
    if isinstance(error, errors.FaultError) and error.file:
        return error.file, error.line, str(error).splitlines()[0]
    return None


def annotation(file: str, line: int, title: str, text: str) -> str:
    """Return the line that GitHub reads; `text` may have several lines."""
    where = ",".join(f"{name}={_property(value)}" for name, value in (("file", file), ("line", line), ("title", title)))
    return f"::error {where}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _data(str(value)).replace(":", "%3A").replace(",", "%2C")
