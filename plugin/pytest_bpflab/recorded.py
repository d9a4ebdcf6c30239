"""What `--bpf-record` says at the end of a session: how many cassettes were written, and why others were not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDED: Final = "bpf_recorded"
"""The property of a report that says what became of a test's cassette, in the words of the summary."""
WRITTEN: Final = "written"
NOT_PASSED: Final = "not written, as the test did not pass"
SHARED: Final = "not written, as the test shares a Lab with others (bpf_module, bpf_session)"
SHARING: Final = frozenset({"bpf_module", "bpf_session"})


class Recorded:
    """Counts the cassettes of a session, those of its workers included."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Note a test that no cassette can hold."""
        if SHARING.intersection(getattr(item, "fixturenames", ())):
            item.user_properties.append((RECORDED, SHARED))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many cassettes were written, and how many were not, by the reason."""
        counts = Counter(dict(_fates(terminalreporter)).values())
        for fate, count in sorted(counts.items(), key=lambda each: each[0] != WRITTEN):
            where = f" below {self._root}" if fate == WRITTEN else ""
            terminalreporter.write_line(f"bpf: {count} {'cassette' if count == 1 else 'cassettes'} {fate}{where}")


def _fates(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, str]]:
    for report in (each for kept in terminalreporter.stats.values() for each in kept):
        if isinstance(report, pytest.TestReport):
            yield from ((report.nodeid, str(value)) for name, value in report.user_properties if name == RECORDED)
