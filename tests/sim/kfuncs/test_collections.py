"""Lists and trees of a program's own objects are kept as the running kernel keeps them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STEPS = 24
ACTS = (
    *("PUSH_FRONT", "PUSH_BACK", "POP_FRONT", "POP_BACK", "FRONT", "BACK", "ADD", "SHARE"),
    *("FIRST", "ROOT", "LEFT", "RIGHT", "TAKE_FIRST", "TAKE_ROOT"),
)
GROWING = ("PUSH_FRONT", "PUSH_BACK", "ADD", "ADD", "ADD", "SHARE")
Step = tuple[str, int]
RISING: list[Step] = [("ADD", key) for key in range(18)]
PRUNED: list[Step] = [("TAKE_ROOT", 0), ("ROOT", 0), ("LEFT", 0), ("RIGHT", 0), ("TAKE_FIRST", 0), ("ROOT", 0)]


def steps_of(acts: tuple[str, ...]) -> st.SearchStrategy[Step]:
    return st.tuples(st.sampled_from(acts), st.integers(0, 9))


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(Path(__file__).with_name("collection_programs.bpf.c"))


@SETTINGS
@given(grown=st.lists(steps_of(GROWING), max_size=16), used=st.lists(steps_of(ACTS), min_size=8, max_size=8))
@example(grown=RISING, used=PRUNED)
@example(grown=RISING[::-1], used=PRUNED)
@example(grown=[("SHARE", 5), ("SHARE", 3)], used=[("TAKE_FIRST", 0), ("POP_FRONT", 0), ("POP_BACK", 0)])
def test_a_history_of_lists_and_trees_goes_alike(twins: Any, grown: list[Step], used: list[Step]) -> None:
    steps = [*grown, *used][:STEPS]
    steps += [("FRONT", 0)] * (STEPS - len(steps))
    twins.agree("work", steps=[{"act": ACTS.index(act), "key": key} for act, key in steps])
    twins.agree("clear")


def test_what_was_taken_out_is_freed(twins: Any) -> None:
    regions = twins.sim.lab.backend.kernel.memory.regions
    before = len(regions)
    twins.agree("work", steps=[{"act": ACTS.index("SHARE"), "key": key} for key in range(STEPS)])
    assert len(regions) == before + STEPS
    twins.agree("clear")
    assert len(regions) == before
