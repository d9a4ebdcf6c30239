"""The part of a measurement within the measured pytest: `-p bpflab.bench.inside`, with pytest-benchmark.

It finds files named bench_*.py beside those of tests, says which clock measures, and writes what the figures depend
on into pytest-benchmark's JSON, instead of what that would find out by starting other programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from bpflab.bench.facts import inner
from bpflab.runner.clock import CLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

PATTERNS: Final = ("bench_*.py", "*_bench.py")
_ASKS_PROGRAMS: Final = ("get_tag", "get_machine_id")
TIMER: Final = "bpflab.runner.clock.now"
"""How --benchmark-timer names the clock."""


def _start_no_programs() -> None:
    """Keep pytest-benchmark from starting git, hg and file for facts that are told otherwise.

    Their output comes in more or fewer pieces, by chance. That leaves another heap behind, and programs that allocate
    then take other ways through it: up to half a percent of a count.
    """
    from pytest_benchmark import utils

    for name in _ASKS_PROGRAMS:
        setattr(utils, name, _nothing)


def _nothing(*_: object) -> str:
    return ""


if CLOCK.deterministic:
    _start_no_programs()


def pytest_configure(config: pytest.Config) -> None:
    """Collect files of benchmarks too."""
    for pattern in PATTERNS:
        config.addinivalue_line("python_files", pattern)


def pytest_report_header() -> str:
    """Say what measures."""
    return f"bench: {CLOCK.unit}" + (f", not deterministic: {CLOCK.reason}" if CLOCK.reason else "")


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_benchmark_generate_machine_info(config: pytest.Config) -> dict[str, Any]:
    """Tell what the figures depend on, and of the clock. It counts only if it is the timer."""
    timer = str(config.getoption("benchmark_timer"))
    return {"facts": inner(), "clock": clock(counting=timer == TIMER)}


def clock(*, counting: bool) -> dict[str, Any]:
    """Describe the clock of a run: the unit of 1e-9, whether it is deterministic, and if not, why."""
    if counting and CLOCK.deterministic:
        return {"unit": CLOCK.unit, "deterministic": True, "reason": ""}
    reason = CLOCK.reason if counting else "the benchmarks were measured in wall time"
    return {"unit": "nanoseconds", "deterministic": False, "reason": reason}


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_benchmark_generate_commit_info() -> dict[str, Any]:
    """Leave the commit to the one who started the run, who has git."""
    return {"id": ""}


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(benchmarks: Sequence[Any], output_json: dict[str, Any]) -> None:  # noqa: ARG001 - pytest-benchmark's signature
    """Leave out each round's figure: the statistics are there."""
    for each in output_json["benchmarks"]:
        each["stats"].pop("data", None)
