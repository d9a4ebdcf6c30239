"""The text of the section: the last runs of a test. Imported after a failure alone: it brings the traces with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.errors import BpfError
from bpflab.trace.replay import replayed, runs_of
from bpflab.trace.text import body, brief_text, cut_text, trace_text
from pytest_bpflab.report_dir import write_report
from pytest_bpflab.trace import lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from bpflab.trace.log import CallLog
    from bpflab.trace.model import Trace

MOST_RUNS: Final = 5
"""Runs of a test whose way is told: the last ones, only the very last in full."""
FILE: Final = "trace.txt"


def ways_text(item: pytest.Item, logs: Sequence[tuple[CallLog, int]]) -> str:
    """Tell the way of the test's last runs; empty where it made none. `logs` come with where the test begins."""
    return "\n".join(text for log, since in logs if (text := _of_log(item, log, since)))


def _of_log(item: pytest.Item, log: CallLog, since: int) -> str:
    runs = runs_of(log, since)
    traces: Sequence[Trace] = log.traces_since(since)[-MOST_RUNS:]
    if not traces and not runs and log.log is not None:
        return ""
    try:
        traces = traces or replayed(log, runs[-MOST_RUNS:])
    except BpfError as error:
        return f"The way of the last run cannot be told: {error}"
    return _text(item, traces, len(runs) or len(traces)) if traces else ""


def _text(item: pytest.Item, traces: Sequence[Trace], runs: int) -> str:
    most, last = lines(item.config), traces[-1]
    first = runs - len(traces) + 1
    where = ""
    if len(traces) > 1 or len(list(body(last))) > most:
        where = write_report(
            item, FILE, "\n\n".join(f"run {number}: {trace_text(each)}" for number, each in enumerate(traces, first))
        )
    told = [f"run {number} of {runs}: {brief_text(each)}" for number, each in enumerate(traces[:-1], first)]
    if told:
        told.append(f"(the ways of these runs are in {where})")
    return "\n".join([*told, (f"run {runs} of {runs}: " if runs > 1 else "") + cut_text(last, most, where)])
