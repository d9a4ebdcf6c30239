"""The slowest programs of a session, by nanoseconds on the kernel and by instructions on the simulator."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import pytest

from pytest_bpflab.tallies import BACKEND, PROGRAM, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT: Final = 3


def add_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the option, and the ini setting of the same meaning."""
    group.addoption(
        "--bpf-slowest",
        type=int,
        default=None,
        dest="bpf_slowest",
        metavar="N",
        help=f"how many of the slowest programs the summary names (default: {DEFAULT}; 0 for none)",
    )
    parser.addini("bpf_slowest", "how many of the slowest programs the summary names, as --bpf-slowest", default="")


def slowest_wanted(config: pytest.Config) -> int:
    """Return how many programs are to be named; UsageError where the ini file has no number."""
    asked = config.getoption("bpf_slowest")
    given = config.getini("bpf_slowest") if asked is None else asked
    try:
        return DEFAULT if given == "" else max(int(given), 0)
    except ValueError:
        raise pytest.UsageError(f"bpf_slowest = {given!r} in the ini file; expected a number of programs.") from None


def slowest_lines(reports: Iterable[pytest.TestReport], wanted: int) -> list[str]:
    """Count the runs on each backend, and name the programs whose mean run took longest."""
    found: dict[str, dict[str, Sums]] = defaultdict(lambda: defaultdict(Sums))
    for report in reports:
        properties = report.user_properties if report.when == "teardown" else []
        backend = str(dict(properties).get(BACKEND))
        for name, value in properties:
            if name.startswith(PROGRAM):
                found[backend][name.removeprefix(PROGRAM)].add(str(value))
    return [_line(backend, programs, wanted) for backend, programs in sorted(found.items())]


def _line(backend: str, programs: dict[str, Sums], wanted: int) -> str:
    runs = sum(each.runs for each in programs.values())
    slowest = sorted(programs.items(), key=lambda named: _mean(named[1]), reverse=True)[:wanted]
    named = ", ".join(f"{name} {_told(each)}" for name, each in slowest if _mean(each))
    counted = f"bpf: {_many(runs, 'run')} of {_many(len(programs), 'program')} on the {backend} backend"
    return f"{counted}; slowest: {named}" if named else counted


def _mean(each: Sums) -> float:
    return (each.instructions or each.ns) / each.runs


def _told(each: Sums) -> str:
    took = f"{_mean(each):,.0f} {'instructions' if each.instructions else 'ns'} a run"
    return f"{took} ({_many(each.runs, 'run')})"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
