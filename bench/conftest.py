"""Options and fixtures of the benchmarks.

pytest bench                              on the running kernel where it can be used, else on the simulated one
pytest bench --quick                      few rounds and small sizes
pytest bench --bpf=sim                    anywhere; neither numpy nor a compiler nor privilege is needed
pytest bench --check                      fail where a ratio is above its limit
pytest bench --benchmark-timer=time.thread_time      CPU time, for a machine with other work
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from c_baseline import missing
from effort import QUICK_ROUNDS, ROUNDS, Effort
from map_kinds import KINDS
from map_rig import MapRig
from measure import ROWS, Measure
from ratios import table

from bpflab import Lab
from pytest_bpflab.backends import backend_names

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


Rigged = Callable[..., MapRig]
SLOW = 4
"""Operations a round of types that wait at each change."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that say how much is done."""
    group = parser.getgroup("bench", "benchmarks of bpflab")
    group.addoption("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, fewer operations")
    group.addoption("--rounds", type=int, help="rounds of each benchmark")
    group.addoption("--records", type=int, help="records that the live producer of a ring buffer writes")
    group.addoption("--check", action="store_true", dest="check_limits", help="fail where a ratio is above its limit")


def pytest_configure(config: pytest.Config) -> None:
    """Lay out the list of results."""
    config.stash[ROWS] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a benchmark of each way that the backend has, and of each place on a scaling curve."""
    asked = effort_of(metafunc.config)
    for marker in metafunc.definition.iter_markers("axis"):
        values = marker.kwargs[asked.backend]
        metafunc.parametrize(marker.args[0], values[:-1] if asked.quick else values)
    for marker in metafunc.definition.iter_markers("ways"):
        names = (*marker.args, *marker.kwargs.get(asked.backend, ()))
        metafunc.parametrize("way", [pytest.param(name, marks=_skipped(name)) for name in names])


def _skipped(way: str) -> list[pytest.MarkDecorator]:
    reason = missing() if way == "libbpf" else ""
    return [pytest.mark.skip(reason=reason)] if reason else []


@pytest.fixture(scope="session")
def effort(pytestconfig: pytest.Config) -> Effort:
    """Return how much work is asked for."""
    return effort_of(pytestconfig)


def effort_of(config: pytest.Config) -> Effort:
    """Read how much work is asked for."""
    quick = bool(config.getoption("quick"))
    backend = backend_names(config)[0]
    rounds = config.getoption("rounds") or (QUICK_ROUNDS if quick else ROUNDS[backend])
    return Effort(backend, rounds, quick)


@pytest.fixture
def lab(effort: Effort) -> Iterator[Lab]:
    """Open a Lab that nobody watches, on the backend of the session."""
    with Lab(effort.backend) as opened:
        yield opened


@pytest.fixture
def kernel(lab: Lab) -> Lab:
    """Return a Lab on the running kernel, or skip the benchmark."""
    if lab.backend.name != "kernel":
        pytest.skip("needs the running kernel: the simulated one has no such thing")
    return lab


@pytest.fixture
def measure(benchmark: BenchmarkFixture, request: pytest.FixtureRequest, effort: Effort) -> Measure:
    """Return what measures one benchmark."""
    return Measure(benchmark, request, effort)


@pytest.fixture
def rigged(lab: Lab, effort: Effort) -> Iterator[Rigged]:
    """Return what makes a filled map, closed with all it refers to when the benchmark ends."""
    with ExitStack() as stack:
        yield partial(_rig, lab, stack, effort)


def _rig(
    lab: Lab,
    stack: ExitStack,
    effort: Effort,
    name: str,
    *,
    changing: bool = False,
    batch: bool = False,
    entries: int | None = None,
) -> MapRig:
    if KINDS[name].kernel_only and effort.backend != "kernel":
        pytest.skip(f"needs the running kernel: a {name} map refers to its sockets, tasks, files or cgroups")
    try:
        slow = changing and KINDS[name].slow
        full = effort.count(kernel=10_000, sim=400) if batch else effort.count(kernel=2_000, sim=80)
        count = SLOW if slow else full
        return MapRig(lab, stack, name, min(count, entries or count), entries)
    except LookupError as reason:
        pytest.skip(str(reason))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # noqa: ANN401 - pytest exports no type
    """Print the ratios of the run."""
    rows = config.stash[ROWS]
    if rows:
        terminalreporter.section("ratios, from rounds that took turns")
        seconds = config.getoption("benchmark_timer").startswith("time.")
        for line in table(rows, seconds=seconds):
            terminalreporter.write_line(line)
