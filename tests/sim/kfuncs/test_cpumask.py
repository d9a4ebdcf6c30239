"""Sets of CPUs are worked on as in the running kernel, with as many CPUs as that has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ACTS, STEPS = 19, 12
CPUS = st.one_of(st.integers(0, 5), st.sampled_from([63, 64, 8191, (1 << 32) - 1]))
Step = list[int]


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(Path(__file__).with_name("cpumask_programs.bpf.c"))


@SETTINGS
@given(
    steps=st.lists(st.tuples(st.integers(0, ACTS), CPUS).map(list), min_size=STEPS, max_size=STEPS),
    given_bytes=st.integers(0, (1 << 64) - 1),
)
@example(steps=[[act, 0] for act in range(12)], given_bytes=0)
@example(steps=[[act, 1] for act in range(7, 19)], given_bytes=(1 << 64) - 1)
@example(
    steps=[[5, 0], [13, 0], [14, 0], [10, 0], [12, 0], [6, 0], [13, 0], [12, 0], [16, 0]] + [[13, 0]] * 3, given_bytes=1
)
def test_a_history_of_sets_goes_alike(twins: Any, steps: list[Step], given_bytes: int) -> None:
    twins.agree("work", b"", steps=steps, bytes=[given_bytes, 0])
