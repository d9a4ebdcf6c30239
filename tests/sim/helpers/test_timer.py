"""Timers answer as on the running kernel, and are fired by the simulated clock alone."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab

SOURCE = Path(__file__).parent / "programs" / "timers.bpf.c"
PACKET = bytes(64)
AGAIN = 1000
"""Nanoseconds after which the second element's timer starts itself again."""
FAR = 3_600_000_000_000
"""An hour: no timer of the running kernel fires while these tests run."""


class Act(IntEnum):
    """What the program is asked to do."""

    INIT = 0
    SET_CALLBACK = 1
    START = 2
    CANCEL = 3


def ask(loaded: Any, act: Act, *, key: int = 0, value: int = 0, flags: int = 0) -> int:
    """Do one act, and give the helper's answer."""
    loaded.maps.asked[0] = {"act": act, "key": key, "value": value, "flags": flags}
    answer: int = loaded.programs.act.run(PACKET).retval
    return answer - (1 << 32) if answer >> 31 else answer


STEPS = st.lists(
    st.tuples(
        st.sampled_from(Act), st.integers(0, 1), st.sampled_from([FAR, 2 * FAR]), st.sampled_from([0, 0, 1, 2, 3, 4, 7])
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@pytest.mark.usefixtures("pair")
def test_a_history_of_timers_is_answered_alike(steps: list[tuple[Act, int, int, int]]) -> None:
    with Lab("kernel") as kernel, Lab("sim") as sim:
        both = [lab.load(SOURCE) for lab in (kernel, sim)]
        for act, key, value, flags in steps:
            # an absolute time an hour after boot may have passed on the running kernel
            options = {
                "key": key,
                "value": value * 1_000_000 if flags & 1 and act is Act.START else value,
                "flags": flags,
            }
            answers = [ask(each, act, **options) for each in both]
            assert answers[1] == answers[0], act


@pytest.fixture
def timers() -> Any:
    with Lab("sim") as lab:
        loaded = lab.load(SOURCE)
        loaded.maps.elements[1] = {"fired": 0, "when": 0, "again": AGAIN}
        for key in (0, 1):
            ask(loaded, Act.INIT, key=key, flags=1)
            ask(loaded, Act.SET_CALLBACK, key=key)
        yield lab, loaded


def element(loaded: Any, key: int) -> tuple[int, int]:
    found = loaded.maps.elements[key]
    return found.fired, found.when


def test_a_timer_fires_once_at_its_time(timers: Any) -> None:
    lab, loaded = timers
    start = lab.clock.now
    ask(loaded, Act.START, value=500)
    lab.clock.advance(nanoseconds=499)
    assert element(loaded, 0) == (0, 0)
    lab.clock.advance(nanoseconds=1000)
    assert element(loaded, 0) == (1, start + 500)
    assert element(loaded, 1) == (0, 0)


def test_a_timer_that_starts_itself_again_fires_at_each_of_its_times(timers: Any) -> None:
    lab, loaded = timers
    ask(loaded, Act.START, key=1, value=AGAIN)
    lab.clock.advance(nanoseconds=3 * AGAIN + 5)
    assert element(loaded, 1) == (303, lab.clock.now - 5)


def test_a_new_value_ends_the_timer_in_the_old_one(timers: Any) -> None:
    lab, loaded = timers
    ask(loaded, Act.START, value=10)
    loaded.maps.elements[0] = {"fired": 7, "when": 0, "again": 0}
    lab.clock.advance(nanoseconds=20)
    assert element(loaded, 0) == (7, 0)


def test_a_cancelled_timer_does_not_fire(timers: Any) -> None:
    lab, loaded = timers
    ask(loaded, Act.START, value=10)
    assert [ask(loaded, Act.CANCEL), ask(loaded, Act.CANCEL)] == [1, 0]
    lab.clock.advance(seconds=1)
    assert element(loaded, 0) == (0, 0)


def test_an_absolute_time_counts_from_boot(timers: Any) -> None:
    lab, loaded = timers
    ask(loaded, Act.START, value=lab.clock.now + 7, flags=1)
    lab.clock.advance(nanoseconds=7)
    assert element(loaded, 0) == (1, lab.clock.now)
