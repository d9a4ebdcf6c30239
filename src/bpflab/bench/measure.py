"""A suite on a target: have the Python ready, run the suite so often, and tell what the figures depend on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.architectures import current
from bpflab.bench import facts, merge
from bpflab.bench.results import Measurement, Results
from bpflab.bench.suite import COUNTED, REQUIREMENTS, run
from bpflab.errors import BenchError
from bpflab.runner.counter.counted import Counted, counted
from bpflab.runner.launch import Launch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpflab.bench.suite import Ran, Suite
    from bpflab.bench.targets import Target
    from bpflab.runner.cache import Cache
    from bpflab.runner.progress import Progress

_SIMULATED: Final = ("--bpf=sim",)
"""bpf(2) does not exist under qemu-user; the host's own architecture has the same backend as the others."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one target gave: measurements, the facts they depend on, and the tests that failed."""

    target: str
    facts: dict[str, Any]
    measurements: tuple[Measurement, ...]
    failed: tuple[str, ...] = ()


def measure(
    cache: Cache, target: Target, suite: Suite, progress: Progress, *, runs: int = 1, requirements: Sequence[str] = ()
) -> Measured:
    """Run a suite on a target, each run in a process of its own; BenchError or RunnerError where it cannot be."""
    if target.guest is None or target.guest.name == current().name:
        _need_pytest_benchmark()
    if target.guest is None:
        native = Counted(Launch((sys.executable,), dict(os.environ)))
        return _measured(target, native, _Runs(suite, runs), progress)
    with counted(cache, target.guest, (*REQUIREMENTS, *requirements), progress) as found:
        if found.reason:
            progress(f"not deterministic, wall time instead of instructions: {found.reason}")
        options = _SIMULATED if found.reason else (*COUNTED, *_SIMULATED)
        return _measured(target, found, _Runs(suite, runs, options), progress)


@dataclass(frozen=True, slots=True)
class _Runs:
    suite: Suite
    number: int
    options: tuple[str, ...] = ()


def _measured(target: Target, found: Counted, runs: _Runs, progress: Progress) -> Measured:
    done = []
    for number in range(1, runs.number + 1):
        progress(f"measuring, run {number} of {runs.number}" if runs.number > 1 else "measuring")
        done.append(run(runs.suite, found.launch, runs.options, progress))
    each_run = [merge.measurements(target.name, ran.written) for ran in done if ran.written]
    failed = dict.fromkeys(test for ran in done for test in ran.failed)
    return Measured(target.name, _facts(target, found, done), tuple(merge.over_runs(each_run)), tuple(failed))


def _facts(target: Target, found: Counted, done: Sequence[Ran]) -> dict[str, Any]:
    """Join what the measured process told of itself and what only its starter knows."""
    told: Mapping[str, Any] = next(
        (ran.written["machine_info"] for ran in done if ran.written), {"facts": {}, "clock": {}}
    )
    known = {**told["facts"], "clock": told["clock"], "qemu": facts.qemu(found.qemu) if found.qemu else ""}
    if target.guest is None:
        known["cpu"] = {**known.get("cpu", {}), **facts.host_processor()}
    return known


def results(measured: Sequence[Measured], directory: Path) -> Results:
    """Put together what the targets gave, as of now and of the commit of a directory."""
    return Results(
        datetime.now(UTC).isoformat(timespec="seconds"),
        facts.commit(directory),
        {each.target: each.facts for each in measured},
        tuple(found for each in measured for found in each.measurements),
    )


def existing(paths: Sequence[str]) -> tuple[str, ...]:
    """Check that what is to be measured is there: files, directories or tests within files."""
    for path in paths:
        if not Path(path.partition("::")[0]).exists():
            raise BenchError(f"There is no {path}: name files or directories with benchmarks, as for pytest.")
    return tuple(paths)


def _need_pytest_benchmark() -> None:
    if find_spec("pytest_benchmark") is None:
        raise BenchError(f"Benchmarks need pytest-benchmark: {sys.executable} -m pip install pytest-benchmark.")
