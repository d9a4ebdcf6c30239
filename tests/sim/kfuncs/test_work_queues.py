"""Work queues answer as in the running kernel, and the work is done when the simulated clock moves."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from re import findall
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).with_name("work_programs.bpf.c")
SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
pytestmark = pytest.mark.usefixtures("kernel_types")
BROKEN = findall(r"\nBAD\((\w+)\)", SOURCE.read_text())


class Act(IntEnum):
    """What the program is asked to do."""

    INIT = 0
    SET_CALLBACK = 1
    START = 2
    REMOVE = 3


STEPS = st.lists(
    st.tuples(st.sampled_from(Act), st.integers(0, 2), st.sampled_from([0, 0, 0, 1])), min_size=1, max_size=12
)


@pytest.fixture(scope="module")
def labs() -> Iterator[tuple[Lab, Lab]]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim:
        yield kernel, sim


@pytest.fixture
def loaded() -> Iterator[Any]:
    with Lab("sim") as lab:
        found = lab.load(SOURCE)
        for key in range(2):
            found.maps.elements[key] = {"runs": 0}
        yield found


def ask(loaded: Any, act: Act, key: int = 0, flags: int = 0) -> tuple[int, int]:
    """Do one act, and give what the program returns and what the function answered."""
    loaded.bss.act, loaded.bss.key, loaded.bss.flags, loaded.bss.answer = act, key, flags, 0
    program = loaded.programs.removes if act is Act.REMOVE else loaded.programs.acts
    return program.run(bytes(64)).retval, loaded.bss.answer


def queue(loaded: Any, *keys: int) -> None:
    for key in keys:
        for act in (Act.INIT, Act.SET_CALLBACK, Act.START):
            assert ask(loaded, act, key) == (0, 0)


@SETTINGS
@given(steps=STEPS)
@example(steps=[(Act.START, 0, 0), (Act.SET_CALLBACK, 0, 0), (Act.INIT, 0, 1), (Act.INIT, 0, 0), (Act.INIT, 0, 0)])
@example(steps=[(Act.INIT, 0, 0), (Act.START, 0, 0), (Act.SET_CALLBACK, 0, 1), (Act.SET_CALLBACK, 0, 0)])
@example(steps=[(Act.INIT, 1, 0), (Act.REMOVE, 1, 0), (Act.START, 1, 0), (Act.SET_CALLBACK, 2, 0)])
@pytest.mark.usefixtures("labs")
def test_a_history_of_work_is_answered_alike(steps: list[tuple[Act, int, int]]) -> None:
    answers = []
    for name in ("kernel", "sim"):
        with Lab(name) as lab:
            loaded = lab.load(SOURCE)
            for key in range(2):
                loaded.maps.elements[key] = {"runs": 0}
            answers.append([ask(loaded, *step) for step in steps])
    assert answers[1] == answers[0]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_refused_alike(labs: tuple[Lab, Lab], name: str) -> None:
    errnos = []
    for lab in labs:
        with pytest.raises(VerifierError) as caught:
            lab.load(SOURCE, programs=[name])
        errnos.append(caught.value.failure.errno)
    assert errnos[1] == errnos[0]


def test_work_is_done_in_its_order_when_the_clock_moves(loaded: Any) -> None:
    queue(loaded, 1, 0)
    assert loaded.bss.seen == 0
    loaded.lab.clock.advance(nanoseconds=1)
    assert loaded.bss.seen == 21
    assert [loaded.maps.elements[key].runs for key in range(2)] == [1, 1]
    loaded.lab.clock.advance(seconds=1)
    assert loaded.bss.seen == 21


def test_work_that_waits_already_is_done_once(loaded: Any) -> None:
    queue(loaded, 0)
    assert ask(loaded, Act.START) == (0, 0)
    loaded.lab.clock.advance(seconds=1)
    assert loaded.maps.elements[0].runs == 1


@pytest.mark.parametrize(("milliseconds", "runs"), [(0, 1), (1, 2), (2, 3), (9, 4)])
def test_work_that_starts_itself_again_is_done_a_millisecond_later(loaded: Any, milliseconds: int, runs: int) -> None:
    loaded.bss.again = 3
    queue(loaded, 0)
    loaded.lab.clock.advance(nanoseconds=1 + milliseconds * 1_000_000)
    assert loaded.maps.elements[0].runs == runs


def test_work_of_an_element_that_is_gone_is_not_done(loaded: Any) -> None:
    queue(loaded, 0, 1)
    del loaded.maps.elements[0]
    loaded.lab.clock.advance(seconds=1)
    assert loaded.bss.seen == 2
