"""Objects that programs keep in map values are exchanged, and freed, as in the running kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).with_name("kept_programs.bpf.c")
SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STEPS = st.lists(st.tuples(st.sampled_from(["keep", "empty"]), st.integers(0, 2), st.integers(0, 99)), max_size=8)


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(SOURCE)


@SETTINGS
@given(steps=STEPS)
def test_a_history_of_exchanges_goes_alike(twins: Any, steps: list[tuple[str, int, int]]) -> None:
    for name, at, number in steps:
        twins.agree(name, at=at, number=number)
    for at in (0, 1):
        twins.agree("empty", at=at)


@pytest.mark.parametrize("name", ["keeps_and_drops", "forgets_what_was_there"])
def test_broken_rules_are_refused_alike(twins: Any, name: str) -> None:
    failures = []
    for each in (twins.kernel, twins.sim):
        with pytest.raises(VerifierError) as caught:
            each.lab.load(SOURCE, programs=[name])
        failures.append(caught.value.failure.errno)
    assert failures[0] == failures[1]
