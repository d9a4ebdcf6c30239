"""The way a run took, in the report of a failing test, and with `--bpf-trace` of every test.

The calls of a Lab are logged, which costs some microseconds each; after a failure the last runs are made again on the
simulator for their traces. With `--bpf-trace`, runs on the simulator are traced as they are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import ref

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from bpflab.backend.base import Backend
    from bpflab.trace.log import CallLog

NAME: Final = "bpflab-trace"
TITLE: Final = "the way it took"
DEFAULT_LINES: Final = 40


def add_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the options, and the ini settings of the same meaning."""
    group.addoption(
        "--bpf-trace",
        action="store_true",
        dest="bpf_trace",
        help="show the way that each test's last runs took through their programs, not only of tests that fail",
    )
    group.addoption(
        "--bpf-trace-lines",
        type=int,
        default=None,
        dest="bpf_trace_lines",
        metavar="N",
        help=f"how many lines of it a report shows (default: {DEFAULT_LINES}, the last ones; the rest is in a file of "
        "the report directory); 0 shows none and keeps no log of calls",
    )
    parser.addini("bpf_trace", "as --bpf-trace", type="bool", default=False)
    parser.addini("bpf_trace_lines", "as --bpf-trace-lines", default=str(DEFAULT_LINES))


def configure(config: pytest.Config) -> None:
    """Take part in the session where every test is to be traced; else the first Lab sees to it."""
    if always(config):
        _tracing(config)


def always(config: pytest.Config) -> bool:
    """Whether every test is to be traced."""
    return bool(config.getoption("bpf_trace") or config.getini("bpf_trace"))


def lines(config: pytest.Config) -> int:
    """Return how many lines of a run a report shows; UsageError for no number."""
    asked = config.getoption("bpf_trace_lines")
    given = config.getini("bpf_trace_lines") if asked is None else asked
    try:
        return max(int(given), 0)
    except ValueError:
        raise pytest.UsageError(f"bpf_trace_lines = {given!r} in the ini file; expected a number of lines.") from None


def logged(config: pytest.Config, backend: Backend) -> Backend:
    """Return the backend with a log of its calls, from which runs can be made again."""
    if not lines(config):
        return backend
    from bpflab.trace.log import CallLog
    from pytest_bpflab.keeping import LogReader

    log = CallLog(backend, live=always(config), told=LogReader())
    _tracing(config).watch(log)
    return log


class Watched:
    """A log, as long as its Lab lives, and how long it was when the running test began."""

    __slots__ = ("log", "since")

    def __init__(self, log: CallLog) -> None:
        self.log = ref(log)
        self.since = 0


class Tracing:
    """Adds the section to reports."""

    def __init__(self, *, always: bool) -> None:
        self._always = always
        self._watched: list[Watched] = []

    def watch(self, log: CallLog) -> None:
        """Tell of the runs in a log, and forget logs that are gone."""
        self._watched = [*(each for each in self._watched if each.log()), Watched(log)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Note where the test begins in the logs of Labs that are shared."""
        for each in self._watched:
            log = each.log()
            if log is not None:
                each.since = log.mark()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Tell the way of the last runs of a test that failed, or of each if that was asked for."""
        report = yield
        wanted = report.failed or (self._always and report.when == "call")
        if wanted and call.when != "teardown" and not report.skipped:
            from pytest_bpflab.ways import ways_text

            text = ways_text(item, [(log, each.since) for each in self._watched if (log := each.log())])
            if text:
                report.sections.append((TITLE, text))
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the ways of tests that passed; pytest shows those of the others itself."""
        if not self._always or "P" in terminalreporter.reportchars:
            return
        for report in terminalreporter.getreports("passed"):
            for title, text in report.sections:
                if title == TITLE:
                    terminalreporter.section(f"{report.nodeid}: {title}", sep="-")
                    terminalreporter.write_line(text)


def _tracing(config: pytest.Config) -> Tracing:
    found = config.pluginmanager.get_plugin(NAME)
    if not isinstance(found, Tracing):
        found = Tracing(always=always(config))
        config.pluginmanager.register(found, NAME)
    return found
