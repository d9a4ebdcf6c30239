"""The packets of a test that fails, what went in and what came out, as a capture in the report directory.

A plugin of its own, registered by pytest_bpflab. Nothing happens before a test has opened a Lab.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import pytest

from pytest_bpflab.report_dir import write_report

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from bpflab_packets.pcapng import Captured
    from pytest_bpflab.keeping import KeptRun

FILE: Final = "packets.pcapng"
SECTION: Final = "bpf packets"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:  # noqa: ARG001 - pytest's name
    """Forget the runs of a test when it is over."""
    try:
        return (yield)
    finally:
        kept_runs()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write the packets of a test that failed, and say in its report where."""
    report = yield
    if report.failed and report.when != "teardown":
        told = write_packets(item)
        if told:
            report.sections.append((SECTION, told))
    return report


def write_packets(item: pytest.Item) -> str:
    """Write what a test ran on, and return a line that says where; empty when there were no packets."""
    module = sys.modules.get("pytest_bpflab.keeping")
    made = module.KEEPER.count if module else 0
    runs = kept_runs()
    packets = list(captured(runs, item.nodeid))
    if not packets:
        return ""
    from bpflab_packets.pcapng import encode_pcapng

    where = write_report(item, FILE, encode_pcapng(packets))
    which = "1 run" if made == 1 else f"{made} runs" if made == len(runs) else f"the last {len(runs)} of {made} runs"
    return f"What went in and came out of {which}: {where}"


def kept_runs() -> list[KeptRun]:
    """Take the runs of the test that is running; none where no Lab was opened."""
    module = sys.modules.get("pytest_bpflab.keeping")
    return list(module.KEEPER.take()) if module else []


def captured(runs: Iterable[KeptRun], test: str) -> Iterator[Captured]:
    """Yield the packets of runs, each with its run, program, verdict and test as a comment."""
    from bpflab.abi.errno import errno_name
    from bpflab_packets.pcapng import Captured, Direction

    for run in runs:
        answer = verdict(run) if not run.errno else f"refused with {errno_name(run.errno)}"
        told = f"run {run.number}, program {run.program or '?'}, {answer}; {test}"
        if run.packet:
            yield Captured(run.packet, (f"in: {told}",), Direction.IN)
        if run.output:
            changed = "" if run.output == run.packet else " (changed)"
            yield Captured(run.output, (f"out{changed}: {told}",), Direction.OUT)


def verdict(run: KeptRun) -> str:
    """Name a run's return value."""
    from bpflab.abi.verdicts import verdict_of

    found = verdict_of(run.type, run.retval)
    return f"{type(found).__name__}.{found.name}" if found is not None else f"retval {run.retval}"
