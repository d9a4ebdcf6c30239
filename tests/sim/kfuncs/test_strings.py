"""Strings are compared, measured and searched as by the running kernel's functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHARACTERS = st.sampled_from([*b"aabAB", 0xC4, 0xE4, 0xD7, 0xFF])
TEXTS = st.lists(CHARACTERS, max_size=11).map(bytes)


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(Path(__file__).with_name("text_programs.bpf.c"))


@SETTINGS
@given(
    one=TEXTS,
    two=TEXTS,
    wanted=st.sampled_from([0, 97, 98, 65, -1]),
    count=st.one_of(st.integers(0, 13), st.sampled_from([65535, 65536, 65537])),
)
@example(one=b"", two=b"", wanted=0, count=0)
@example(one=b"aab", two=b"ab", wanted=97, count=3)
@example(one=b"aab", two=b"ab", wanted=97, count=2)
@example(one=b"A\xc4", two=b"a\xe4", wanted=97, count=2)
@example(one=b"a", two=b"\xff", wanted=-1, count=1)
def test_strings_are_treated_alike(twins: Any, one: bytes, two: bytes, wanted: int, count: int) -> None:
    twins.agree("work", b"", one=one.ljust(12, b"\0"), two=two.ljust(12, b"\0"), wanted=wanted, count=count)
