"""One benchmark: a thing done in one way, with the other ways taking turns in the same rounds.

Before each round of the way that is measured, every other way runs once, outside of the measured time and by the same
timer. A busy machine slows both, so the ratio of a pair of rounds says more than two times measured apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import pytest
from ratios import Row

if TYPE_CHECKING:
    from effort import Effort
    from pytest_benchmark.fixture import BenchmarkFixture

Work = Callable[[], object]
BASELINES: Final = ("libbpf", "dict", "scapy", "struct")
"""Ways that others are compared with, the first there is."""
PEERS: Final = (*BASELINES, "syscall", "bcc")
"""Ways that are not bpflab's, which take turns with it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A way to do a thing: `run` is measured, `before` prepares each round and is not.

    `takes` is of a way that measures itself (in another process): it returns seconds, and `run` is not called.
    """

    run: Work
    before: Work | None = None
    takes: Callable[[], float] | None = None


def turn_of(way: Work | Turn) -> Turn:
    """Return a plain function as a turn without preparation."""
    return way if isinstance(way, Turn) else Turn(way)


class Measure:
    """What the fixture `measure` gives: called once, with the ways to do a thing and the name of the measured one."""

    def __init__(self, benchmark: BenchmarkFixture, request: pytest.FixtureRequest, effort: Effort) -> None:
        self.benchmark = benchmark
        self.node = request.node
        self.effort = effort
        self.check = bool(request.config.getoption("check_limits"))
        self.rows: list[Row] = request.config.stash[ROWS]

    def __call__(
        self,
        ways: Mapping[str, Work | Turn],
        way: str = "bpflab",
        *,
        group: str,
        subject: str,
        operations: int = 1,
        axis: str = "",
        value: float = 0,
        baseline: str | None = None,
        limits: Mapping[str, float] | None = None,
        rounds: int | None = None,
    ) -> None:
        """Measure a way by turns with the others.

        `group` holds the benchmarks that are compared; `subject` says what is done, `operations` how often a round
        does it. `axis` and `value` are the place on a scaling curve. `baseline` names one of the ways or another
        benchmark of the group; `limits` the largest ratio to a way that `--check` lets pass.
        """
        turns = {name: turn_of(given) for name, given in ways.items()}
        if baseline is None:
            baseline = next((name for name in BASELINES if name in turns), "")
        peers = () if way in PEERS else (*PEERS, baseline)
        others = {name: turn for name, turn in turns.items() if name in peers and name != way}
        taken = self._by_turns(turns[way], others, rounds or self.effort.rounds, group)
        found = self._ratios(taken)
        self._tell(
            subject=subject,
            way=way,
            backend=self.effort.backend,
            axis=axis,
            value=value,
            operations=operations,
            baseline=self._benchmark_name(way, baseline) if baseline in turns else baseline,
        )
        self.benchmark.extra_info["ratio"] = found.get(baseline)
        self.benchmark.extra_info["ratios"] = found
        if found:
            place = f"{axis}={value:,}" if axis else ""
            self.rows.append(Row(group, subject, way, place, self._each(operations), found))
        self._hold(subject, found, limits or {})

    def _by_turns(self, subject: Turn, others: Mapping[str, Turn], rounds: int, group: str) -> dict[str, list[float]]:
        timer = self.benchmark._timer
        taken: dict[str, list[float]] = {name: [] for name in others}

        def before() -> None:
            for name, turn in others.items():
                taken[name].append(_seconds(turn, timer))
            if subject.before:
                subject.before()

        self.benchmark.group = group
        pedantic: Callable[..., object] = self.benchmark.pedantic
        pedantic(subject.run, setup=before, rounds=rounds, iterations=1, warmup_rounds=1)
        return {name: seconds[1:] for name, seconds in taken.items()}

    def _ratios(self, taken: Mapping[str, list[float]]) -> dict[str, float]:
        """Return the median of the ratios of the pairs, for each other way."""
        if self.benchmark.stats is None:
            return {}
        own: list[float] = self.benchmark.stats.stats.data
        pairs = {name: list(zip(own, seconds, strict=True)) for name, seconds in taken.items()}
        return {
            name: round(median(mine / theirs for mine, theirs in each), 3)
            for name, each in pairs.items()
            if all(theirs > 0 for _, theirs in each)
        }

    def _tell(self, **facts: object) -> None:
        self.benchmark.extra_info.update(facts)

    def _benchmark_name(self, way: str, baseline: str) -> str:
        """Return the name of the same benchmark done in the baseline's way; nothing where that only takes turns."""
        marker = self.node.get_closest_marker("ways")
        own = (*marker.args, *marker.kwargs.get(self.effort.backend, ())) if marker else ()
        name, _, parameters = str(self.node.name).rstrip("]").partition("[")
        words = [baseline if word == way else word for word in parameters.split("-")]
        return f"{name}[{'-'.join(words)}]" if baseline in own else ""

    def _each(self, operations: int) -> float:
        """Return the median of an operation."""
        own: list[float] = self.benchmark.stats.stats.data if self.benchmark.stats else [0]
        return median(own) / operations

    def _hold(self, subject: str, found: Mapping[str, float], limits: Mapping[str, float]) -> None:
        over = [
            f"{subject}: {found[name]:.3g} times {name}, at most {most} is wanted"
            for name, most in limits.items()
            if name in found and found[name] > most
        ]
        if self.check and over:
            pytest.fail("; ".join(over), pytrace=False)


ROWS: Final = pytest.StashKey[list[Row]]()


def _seconds(turn: Turn, timer: Callable[[], float]) -> float:
    if turn.before:
        turn.before()
    if turn.takes:
        return turn.takes()
    start = timer()
    turn.run()
    return timer() - start
