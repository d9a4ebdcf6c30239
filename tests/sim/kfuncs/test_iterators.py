"""Open-coded iterators over numbers and bits give what the running kernel's give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
INT_MAX = (1 << 31) - 1
LOOPS = 8 << 20
INTS = st.one_of(st.integers(-6, 6), st.integers(-INT_MAX - 1, INT_MAX))
FULL = (1 << 64) - 1


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(Path(__file__).with_name("iterator_programs.bpf.c"))


@SETTINGS
@given(start=INTS, end=INTS)
@example(start=0, end=0)
@example(start=0, end=LOOPS)
@example(start=0, end=LOOPS + 1)
@example(start=-INT_MAX - 1, end=-INT_MAX + 1)
@example(start=INT_MAX - 2, end=INT_MAX)
@example(start=INT_MAX, end=INT_MAX)
@example(start=-INT_MAX - 1, end=INT_MAX)
def test_numbers_run_from_start_to_end(twins: Any, start: int, end: int) -> None:
    twins.agree("numbers", b"", start=start, end=end)


@SETTINGS
@given(words=st.lists(st.integers(0, FULL), min_size=4, max_size=4), nr_words=st.integers(0, 4))
@example(words=[0, 0, 0, 0], nr_words=4)
@example(words=[1, 1 << 63, 0, 3], nr_words=4)
@example(words=[FULL] * 4, nr_words=1)
@example(words=[FULL] * 4, nr_words=0)
@example(words=[1, 0, 0, 0], nr_words=512)
def test_bits_run_through_the_words(twins: Any, words: list[int], nr_words: int) -> None:
    twins.agree("bits", b"", words=words, nr_words=nr_words)


def test_iterators_nest_and_repeat(twins: Any) -> None:
    assert twins.agree("nested").sum == sum(i * j for i in range(5) for j in range(i, 5)) + 3000


def test_sections_nest_and_end(twins: Any) -> None:
    assert twins.agree("sections", b"", start=3, end=4).sum == 7
