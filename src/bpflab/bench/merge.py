"""From what pytest-benchmark wrote on each target to measurements, by test and target."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bpflab.bench.results import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PER_SECOND: Final = 1e9
"""Figures come in seconds, and are told in nanoseconds or in instructions, each of which is one nanosecond."""


def measurements(target: str, written: Mapping[str, Any]) -> list[Measurement]:
    """Read one run on one target; KeyError if it was not written by a run with `bpflab.bench.inside`."""
    clock = written["machine_info"]["clock"]
    return [_measurement(target, clock, each) for each in written["benchmarks"]]


def _measurement(target: str, clock: Mapping[str, Any], found: Mapping[str, Any]) -> Measurement:
    stats = found["stats"]
    return Measurement(
        test=found["fullname"],
        target=target,
        value=stats["median"] * _PER_SECOND,
        spread=_spread([stats["min"], stats["median"], stats["max"]]),
        unit=clock["unit"],
        deterministic=clock["deterministic"],
        group=found["group"] or "",
        params=found["params"] or {},
        rounds=stats["rounds"],
        iterations=stats["iterations"],
        extra=found["extra_info"],
    )


def over_runs(runs: Sequence[Sequence[Measurement]]) -> list[Measurement]:
    """Make one of several runs on one target: the median of the values, and their spread.

    A benchmark that some run lacks has the runs that have it. Where the clock was not the same, none is deterministic.
    """
    by_test: dict[str, list[Measurement]] = {}
    for run in runs:
        for each in run:
            by_test.setdefault(each.test, []).append(each)
    return [_one(found) for found in by_test.values()]


def _one(found: Sequence[Measurement]) -> Measurement:
    if len(found) == 1:
        return found[0]
    values = [each.value for each in found]
    steady = all(each.deterministic for each in found)
    return replace(found[0], value=median(values), spread=_spread(values), runs=len(found), deterministic=steady)


def by_test(measured: Iterable[Measurement]) -> dict[str, dict[str, Measurement]]:
    """Arrange measurements: by test, then by target, both in the order in which they come."""
    table: dict[str, dict[str, Measurement]] = {}
    for each in measured:
        table.setdefault(each.test, {})[each.target] = each
    return table


def _spread(values: Sequence[float]) -> float:
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0
