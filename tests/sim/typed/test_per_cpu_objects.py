"""Objects of which each CPU has its own are reached by the same helpers as in the running kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from re import findall

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.objects.loaded import LoadedObject
from bpflab.programs.verifier import VerifierError
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

SOURCE = Path(__file__).with_name("per_cpu_objects.bpf.c")
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["makes", "changes", "changes", "looks"]),
        st.one_of(st.integers(0, 4), st.sampled_from([64, 8191, (1 << 32) - 1])),
        st.integers(0, (1 << 64) - 1),
    ),
    min_size=1,
    max_size=12,
)
pytestmark = pytest.mark.usefixtures("kernel_types")
Pair = tuple[LoadedObject, LoadedObject]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab(SimBackend(Machine(possible_cpus=kernel.backend.possible_cpus))) as sim:
        yield kernel.load(SOURCE), sim.load(SOURCE)


def answer(loaded: LoadedObject, name: str, cpu: int, number: int) -> tuple[int, list[int]]:
    loaded.bss.cpu, loaded.bss.number = cpu, number
    result = loaded.programs[name].run(bytes(64))
    return result.retval, list(loaded.bss.seen[1:])


@SETTINGS
@given(steps=STEPS)
@example(
    steps=[("makes", 0, 0), ("changes", 0, 1), ("changes", 1, 2), ("looks", 0, 0), ("looks", 1, 0), ("looks", 2, 0)]
)
def test_a_history_of_copies_goes_alike(pair: Pair, steps: list[tuple[str, int, int]]) -> None:
    for step in [("makes", 0, 0), *steps]:
        kernel, sim = (answer(loaded, *step) for loaded in pair)
        assert sim == kernel


@pytest.mark.parametrize("name", findall(r"SEC\(\"\?tc\"\) int (\w+)", SOURCE.read_text()))
def test_a_broken_rule_is_refused_alike(pair: Pair, name: str) -> None:
    failures = []
    for loaded in pair:
        with pytest.raises(VerifierError) as caught:
            loaded.lab.load(SOURCE, programs=[name])
        failures.append((caught.value.failure.errno, caught.value.reason.replace("_rcu_", "_")))
    assert failures[1] == failures[0]


def test_the_cpu_that_runs_has_its_own() -> None:
    with Lab("sim") as lab:
        loaded = lab.load(SOURCE)
        loaded.programs.makes.run(bytes(64))
        loaded.bss.cpu = 2
        loaded.programs.changes.run(bytes(64))
        seen = []
        for lab.cpu in range(4):
            loaded.programs.looks.run(bytes(64))
            seen.append(loaded.bss.seen[0])
    assert seen == [0, 0, 1, 0]
