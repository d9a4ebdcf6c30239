"""The measuring of a session: over its tests, the workers of pytest-xdist, and earlier sessions.

Each worker keeps a file in a directory that the session owns, written anew whenever a test ran something new: what a
worker measured before it was killed is not lost.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from bpflab.coverage import Coverage, read_file, write_file
from bpflab.coverage.reports.table import shown_percent
from bpflab.coverage.reports.write import Wanted, write
from bpflab.errors import BpfError
from pytest_bpflab.backends import PARAMETER
from pytest_bpflab.coverage import DATA_FILE, destination

if TYPE_CHECKING:
    from collections.abc import Callable

DIRECTORY: Final = "bpflab_coverage"
"""What tells a worker of pytest-xdist where its file goes."""


class Measuring:
    """Measures, and says at the end what was measured if `reported`."""

    def __init__(self, config: pytest.Config, *, reported: bool) -> None:
        self.config = config
        self.reported = reported
        self.coverage = Coverage(config.rootpath)
        self.wanted = _wanted(config)
        self._directory = _directory(config)
        self._written: int | None = None
        self._lines: list[str] = []
        self.at_setup: list[Callable[[], None]] = []

    @property
    def is_worker(self) -> bool:
        """Whether this process is a worker of pytest-xdist."""
        return hasattr(self.config, "workerinput")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's worker controller
        """Tell a worker where its file goes."""
        node.workerinput[DIRECTORY] = str(self._directory)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Look for sources beside the test; steer it if that was asked."""
        self.coverage.files.add(item.path.parent)
        for act in self.at_setup:
            act()
        if self.config.getoption("bpf_cov_target") and PARAMETER in getattr(item, "fixturenames", ()):
            from pytest_bpflab.targeting import steer

            steer(item, self.coverage)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self) -> None:
        """Keep what a worker has measured so far."""
        if self.is_worker and self.reported:
            self._save()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep what a worker measured; elsewhere put all together, write the reports, and judge."""
        if not self.reported:
            return
        if self.is_worker:
            self._save()
            return
        try:
            self._finish(session)
        except BpfError as error:
            self._lines.append(f"ERROR: {error}")
            _fail(session)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the reports."""
        if self._lines:
            terminalreporter.write_sep("=", "coverage of BPF programs")
            for line in self._lines:
                terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """Remove the workers' files."""
        if not self.is_worker:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _save(self) -> None:
        data = self.coverage.collect()
        if data.changes != self._written:
            write_file(self._directory / f"{os.getpid()}", data)
            self._written = data.changes

    def _finish(self, session: pytest.Session) -> None:
        data = self.coverage.collect()
        for path in sorted(self._directory.iterdir()):
            data.merge(read_file(path))
        kept = self._data_file()
        if self.config.getoption("bpf_cov_append") and kept.exists():
            data.merge(read_file(kept))
        write_file(kept, data)
        report = self.coverage.report(
            destination(self.config, name) for name in self.config.getoption("bpf_cov") if name
        )
        for wanted in self.wanted:
            self._lines += write(report, wanted).splitlines()
        least = self.config.getoption("bpf_cov_fail_under")
        if least is not None and report.total.percent < least:
            self._lines.append(f"FAIL: {shown_percent(report.total)} ran; --bpf-cov-fail-under asks for {least:g}%.")
            _fail(session)

    def _data_file(self) -> Path:
        asked = self.config.getoption("bpf_cov_data")
        return destination(self.config, asked) if asked else Path(self.config.rootpath, DATA_FILE)


def _wanted(config: pytest.Config) -> list[Wanted]:
    asked = config.getoption("bpf_cov_report") or ["term"]
    try:
        return [Wanted.parse(each, Path(config.invocation_params.dir)) for each in asked]
    except BpfError as error:
        raise pytest.UsageError(f"--bpf-cov-report: {error}") from error


def _directory(config: pytest.Config) -> Path:
    given = getattr(config, "workerinput", {}).get(DIRECTORY)
    return Path(given or tempfile.mkdtemp(prefix="bpflab-coverage-"))


def _fail(session: pytest.Session) -> None:
    """Let a session end as one with failures; a worse end stays."""
    if session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
