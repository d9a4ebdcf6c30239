"""Exceptions end programs from within their functions, as in the running kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from re import findall
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).with_name("exception_programs.bpf.c")
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = findall(r"BAD\(\"[\w/]+\", (\w+)\)\(", SOURCE.read_text())
pytestmark = pytest.mark.usefixtures("kernel_types")
WORDS = st.one_of(st.integers(0, 9), st.integers(0, (1 << 64) - 1))


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
@given(name=st.sampled_from(["in_main", "in_functions", "with_handler"]), depth=st.integers(-1, 6), cookie=WORDS)
@example(name="in_functions", depth=3, cookie=(1 << 32) + 5)
@example(name="with_handler", depth=6, cookie=(1 << 64) - 1)
@example(name="in_main", depth=2, cookie=0)
def test_a_program_ends_alike(twins: Any, name: str, depth: int, cookie: int) -> None:
    twins.agree(name, depth=depth, cookie=cookie, seen=0, before=0)


@SETTINGS
@given(
    caller=st.sampled_from(["calls_further", "throws_after"]),
    called=st.sampled_from(["in_main", "in_functions", "with_handler", "throws_after"]),
    turns=st.integers(0, 3),
    depth=st.integers(0, 6),
    cookie=WORDS,
)
@example(caller="calls_further", called="with_handler", turns=1, depth=3, cookie=16)
@example(caller="throws_after", called="in_functions", turns=1, depth=5, cookie=16)
@example(caller="throws_after", called="throws_after", turns=3, depth=5, cookie=3)
def test_an_exception_ends_the_program_that_a_tail_call_went_to(
    twins: Any, *, caller: str, called: str, turns: int, depth: int, cookie: int
) -> None:
    for each in (twins.kernel, twins.sim):
        each.maps.next[0] = each.programs[called]
    twins.agree(caller, turns=turns, depth=depth, cookie=cookie, seen=0, before=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_rule_is_refused_alike(labs: tuple[Lab, Lab], name: str) -> None:
    failures = []
    for lab in labs:
        with pytest.raises(VerifierError) as caught:
            lab.load(SOURCE, programs=[name])
        failures.append((caught.value.failure.errno, caught.value.log))
    (kernel_errno, kernel_log), (errno, log) = failures
    assert errno == kernel_errno
    said = [line.partition("processed")[0] for line in log.splitlines() if not line.startswith("processed")]
    assert said[-1] in kernel_log


def test_runs_after_an_exception_begin_anew() -> None:
    with Lab("sim") as lab:
        loaded = lab.load(SOURCE)
        retvals = []
        for depth in (1, 6, 1, 3, 1):
            loaded.bss.depth, loaded.bss.cookie = depth, 9
            retvals.append(loaded.programs.in_functions.run(bytes(64)).retval)
    assert retvals == [1004, 10, 1004, 9, 1004]
