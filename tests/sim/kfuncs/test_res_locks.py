"""Resilient spin locks are taken, given back and refused as in the running kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from re import findall
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.errno import Errno
from bpflab.backend.select import kernel_refusal
from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).with_name("lock_programs.bpf.c")
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PROGRAMS = ("takes_one", "takes_two", "takes_two_quietly", "takes_one_by_its_sign")
BROKEN = findall(r"\nBAD\((\w+)\)", SOURCE.read_text())
pytestmark = pytest.mark.usefixtures("kernel_types")
INDEXES = st.integers(0, 3)


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(SOURCE)


@pytest.fixture(scope="module")
def labs() -> Iterator[tuple[Lab, Lab]]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim:
        yield kernel, sim


@SETTINGS
@given(steps=st.lists(st.tuples(st.sampled_from(PROGRAMS), INDEXES, INDEXES), min_size=1, max_size=6))
@example(steps=[("takes_two", 1, 1), ("takes_two_quietly", 2, 2), ("takes_one", 1, 0), ("takes_two", 0, 2)])
def test_a_history_of_locks_goes_alike(twins: Any, steps: list[tuple[str, int, int]]) -> None:
    for name, first, second in steps:
        twins.agree(name, first=first, second=second)
        numbers = [[each.maps.places[at].number for at in range(3)] for each in (twins.kernel, twins.sim)]
        assert numbers[0] == numbers[1]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_refused_alike(labs: tuple[Lab, Lab], name: str) -> None:
    refusals = []
    for lab in labs:
        with pytest.raises(VerifierError) as caught:
            lab.load(SOURCE, programs=[name])
        refusals.append((caught.value.failure.errno, caught.value.reason))
    assert refusals[1] == refusals[0]


def test_a_lock_that_is_taken_twice_is_told_of() -> None:
    with Lab("sim") as lab:
        loaded = lab.load(SOURCE)
        loaded.bss.first = loaded.bss.second = 1
        assert loaded.programs.takes_two.run(bytes(64)).retval == 0
        assert loaded.bss.answers[1] == -Errno.EDEADLK
        assert [loaded.maps.places[at].number for at in range(3)] == [0, 1, 0]


@pytest.mark.parametrize("turns", [[], [1] * 80, [40, 40, 40], [30, 30]])
def test_cpus_that_wait_for_each_other_all_come_to_an_end(turns: list[int]) -> None:
    with Lab("sim") as lab:
        loaded = lab.load(SOURCE)
        one, other = loaded.programs.forward, loaded.programs.backward
        results = lab.race(lambda: one.run(bytes(64)).retval, lambda: other.run(bytes(64)).retval, turns=turns)
        assert set(results) <= {0, Errno.EDEADLK}
        assert 0 in results
        assert loaded.maps.places[0].number == loaded.maps.places[1].number == results.count(0)


def test_of_two_cpus_that_wait_for_each_other_one_gives_up() -> None:
    with Lab("sim") as lab:
        loaded = lab.load(SOURCE)
        one, other = loaded.programs.forward, loaded.programs.backward
        results = lab.race(lambda: one.run(bytes(64)).retval, lambda: other.run(bytes(64)).retval, turns=[1] * 400)
        assert sorted(results) == [0, Errno.EDEADLK]
