"""What a failing test shows of the way an error took: the test's own lines, not the library's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pluggy
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

RUNNERS: Final = tuple(str(Path(module.__file__ or "").parent) for module in (pluggy, pytest, sys.modules["_pytest"]))
"""Where pytest itself is: its frames lead to the test."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave the library's frames out of the report of a BpfError, whose text says all; `--full-trace` keeps them."""
    errors = sys.modules.get("bpflab.errors")
    if call.excinfo and errors and isinstance(call.excinfo.value, errors.BpfError):
        library = str(Path(errors.__file__ or "").parent), str(Path(__file__).parent)
        if not item.config.getoption("fulltrace", default=False):
            cut_library(call.excinfo.tb, library)
    return (yield)


def cut_library(traceback: TracebackType, library: tuple[str, ...]) -> None:
    """Take the library's frames that follow the first frame of somebody else's out of a traceback."""
    entry: TracebackType | None = traceback
    while entry is not None and _file(entry).startswith((*RUNNERS, *library)):
        entry = entry.tb_next
    while entry is not None:
        while entry.tb_next is not None and _file(entry.tb_next).startswith(library):
            entry.tb_next = entry.tb_next.tb_next
        entry = entry.tb_next


def _file(entry: TracebackType) -> str:
    return entry.tb_frame.f_code.co_filename
