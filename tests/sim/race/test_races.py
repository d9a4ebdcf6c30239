"""Programs race on several CPUs in the order that a test gives, and so do their mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import find, given, settings
from hypothesis.errors import NoSuchExample

from bpflab import Lab
from bpflab.errors import ArgumentError, FaultError, NotSupportedError
from bpflab.objects.loaded import LoadedObject
from bpflab.testing.turns import turns

SOURCE = Path(__file__).with_name("racing.bpf.c")
PACKET = bytes(64)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


@pytest.fixture(scope="module")
def racing(lab: Lab) -> LoadedObject:
    return lab.load(SOURCE)


def race(lab: Lab, racing: LoadedObject, name: str, order: Sequence[int], cpus: int = 2) -> None:
    program = racing.programs[name]
    lab.race(*[lambda: program.run(PACKET)] * cpus, turns=order)


def careless_count(lab: Lab, racing: LoadedObject, order: Sequence[int]) -> int:
    variables = racing.maps[".bss"]
    variables[0] = variables[0].replace(careless_count=0)
    race(lab, racing, "careless", order)
    count: int = variables[0].careless_count
    return count


def test_runs_one_after_the_other_lose_nothing(lab: Lab, racing: LoadedObject) -> None:
    assert careless_count(lab, racing, []) == 2


def test_the_shortest_order_that_loses_an_update_is_found(lab: Lab, racing: LoadedObject) -> None:
    order = find(turns(), lambda order: careless_count(lab, racing, order) == 1)
    assert len(order) <= 2
    assert careless_count(lab, racing, order) == 1


@settings(max_examples=50)
@given(order=turns())
def test_the_same_turns_give_the_same_result(lab: Lab, racing: LoadedObject, order: list[int]) -> None:
    assert careless_count(lab, racing, order) == careless_count(lab, racing, order)


def test_no_order_loses_an_atomic_update(lab: Lab, racing: LoadedObject) -> None:
    def loses(order: Sequence[int]) -> bool:
        before = racing.maps[".bss"][0].atomic_count
        race(lab, racing, "atomic", order)
        return bool(racing.maps[".bss"][0].atomic_count != before + 2)

    with pytest.raises(NoSuchExample):
        find(turns(), loses)


@settings(max_examples=60)
@given(order=turns(switches=30))
def test_a_spin_lock_keeps_others_out(lab: Lab, racing: LoadedObject, order: list[int]) -> None:
    racing.maps["pair"][0] = racing.maps["pair"][0].replace(left=0, right=0)
    race(lab, racing, "locked", order, cpus=3)
    after = racing.maps["pair"][0]
    assert (after.left, after.right) == (3, 3)


@given(order=turns())
def test_each_cpu_has_its_own_values_of_a_per_cpu_map(lab: Lab, racing: LoadedObject, order: list[int]) -> None:
    racing.maps["own"][0] = [0, 0, 0, 0]
    race(lab, racing, "separate", order, cpus=3)
    assert list(racing.maps["own"][0]) == [1, 2, 3, 0]


def test_results_come_back_in_the_order_of_the_runs(lab: Lab, racing: LoadedObject) -> None:
    sizes = [64, 100, 80]
    program = racing.programs["atomic"]
    results = lab.race(*[lambda size=size: program.run(bytes(size)) for size in sizes], turns=[1, 2, 1, 3])
    assert [len(result.data) for result in results] == sizes


def test_locks_that_wait_for_each_other_are_a_fault(lab: Lab) -> None:
    stuck = lab.program("r0 = 2\nexit", name="stuck")
    lab.world.helpers["ktime_get_ns"] = lambda env: env.kernel.interleaving.wait_until(lambda: False, "a lock") or 0
    waits = lab.program("call bpf_ktime_get_ns\nr0 = 2\nexit", name="waits")
    with pytest.raises(FaultError, match="all CPUs wait"):
        lab.race(lambda: waits.run(PACKET), lambda: waits.run(PACKET), lambda: stuck.run(PACKET))
    del lab.world.helpers["ktime_get_ns"]


def test_more_runs_than_cpus_are_refused(lab: Lab) -> None:
    with pytest.raises(ArgumentError, match="5 runs race; the simulated machine has 4 CPUs"):
        lab.race(*[lambda: 0] * 5)


@pytest.mark.bpf(backend="kernel")
def test_the_running_kernel_cannot_be_told_when_to_switch(bpf: Lab) -> None:
    with pytest.raises(NotSupportedError, match="use the simulated kernel"):
        bpf.race(lambda: 0)
