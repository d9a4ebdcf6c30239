"""What the plugin says of a session: what answers, before it; what ran where, after it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_bpflab.backends import PARAMETER, backend_names, describe
from pytest_bpflab.options import SETTINGS
from pytest_bpflab.requirements import MISSING
from pytest_bpflab.slowest import slowest_lines, slowest_wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what answers when somebody asked for a backend; else it is said once tests are found that want one."""
    return _what_answers(config) if config.stash[SETTINGS].explicit else []


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Say what answers, if it was not said yet and some test asks for it."""
    if config.stash[SETTINGS].explicit or not any(PARAMETER in getattr(item, "fixturenames", ()) for item in items):
        return []
    return _what_answers(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests ran on which backend, and what the others lacked."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    for line in summary_lines(config, [report for report in reports if isinstance(report, pytest.TestReport)]):
        terminalreporter.write_line(line)


def summary_lines(config: pytest.Config, reports: Sequence[pytest.TestReport]) -> list[str]:
    """Count the tests that ran, by backend, and those that something was missing for, by its name."""
    ran = Counter(dict(_properties(reports, PARAMETER, ran=True)).values())
    missing = Counter(dict(_properties(reports, MISSING, ran=False)).values())
    lines = [f"bpf: {_tests(count)} ran on {describe(config, name)}" for name, count in sorted(ran.items())]
    lines += slowest_lines(reports, slowest_wanted(config))
    return lines + [f"bpf: {_tests(count)} not run: {reason}" for reason, count in missing.most_common()]


def _properties(reports: Iterable[pytest.TestReport], name: str, *, ran: bool) -> Iterator[tuple[str, str]]:
    for report in reports:
        if not ran or (report.when == "call" and not report.skipped):
            yield from ((report.nodeid, str(value)) for key, value in report.user_properties if key == name)


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _what_answers(config: pytest.Config) -> list[str]:
    return [line for name in backend_names(config) for line in _answering(config, name)] + _missing_compiler()


def _missing_compiler() -> list[str]:
    from bpflab.probe.machine import probe_compiler

    found = probe_compiler()
    return [] if found else [f"bpf: C sources cannot be compiled: {found.detail}"]


def _answering(config: pytest.Config, name: str) -> Iterator[str]:
    from bpflab.backend.select import kernel_refusal

    refusal = kernel_refusal()
    if name == "kernel" and refusal:
        yield f"bpf: the kernel cannot be used. {refusal}"
        return
    yield f"bpf: {describe(config, name)} answers"
    if refusal and config.stash[SETTINGS].mode == "auto":
        yield f"bpf: the running kernel does not. {refusal}"
