"""Dynptrs are made, read and written as the running kernel does it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PACKET = bytes(64)
LONG = 1 << 24

MAKE = """
    r9 = 0
    r1 = map[name:{map}][0]+0
    r2 = {size}
    r3 = {flags} ll
    r4 = r10
    r4 += -16
    call bpf_dynptr_from_mem
    r9 += r0
"""
READ = """
    r1 = map[name:scratch][0]+32
    r2 = {len}
    r3 = r10
    r3 += -16
    r4 = {offset} ll
    r5 = {flags} ll
    call bpf_dynptr_read
    r9 *= 31
    r9 += r0
"""
WRITE = """
    r1 = r10
    r1 += -16
    r2 = {offset} ll
    r3 = map[name:scratch][0]+0
    r4 = {len}
    r5 = {flags} ll
    call bpf_dynptr_write
    r9 *= 31
    r9 += r0
"""
DATA = """
    r1 = r10
    r1 += -16
    r2 = {offset} ll
    r3 = {some}
    call bpf_dynptr_data
    r9 *= 31
    if r0 == 0 goto none{number}
    *(u8 *)(r0 + {last}) = 7
    r9 += 1
none{number}:
"""
OFFSETS = st.one_of(st.integers(0, 34), st.sampled_from([(1 << 32) - 1, 1 << 32, 1 << 63, (1 << 64) - 1]))
STEPS = st.lists(
    st.tuples(
        st.sampled_from([READ, WRITE, DATA]), st.integers(0, 32), OFFSETS, st.sampled_from([0, 0, 0, 1, 1 << 40])
    ),
    max_size=5,
)


@SETTINGS
@given(
    steps=STEPS,
    size=st.integers(0, 32),
    flags=st.sampled_from([0, 0, 0, 0, 1, 1 << 50]),
)
def test_a_history_of_a_dynptr_goes_alike(
    pair: Any, steps: list[tuple[str, int, int, int]], size: int, flags: int
) -> None:
    text = MAKE.format(map="memory", size=size, flags=flags)
    for number, (step, length, offset, wrong) in enumerate(steps):
        some = max(length, 1)
        text += step.format(len=length, offset=offset, flags=wrong, number=number, some=some, last=some - 1)
    with ExitStack() as stack:
        memories = [stack.enter_context(each) for each in pair.maps("ARRAY", value=32, max_entries=1, name="memory")]
        for each in pair.maps("ARRAY", value=64, max_entries=1, name="scratch"):
            stack.enter_context(each)[0] = bytes(range(64))
            memories.append(each)
        pair.agree(f"{text}\nr0 = r9\nexit", PACKET, type="xdp")
        assert memories[1][0] == memories[0][0]
        assert memories[3][0] == memories[2][0]


@pytest.mark.parametrize("size", [LONG - 1, LONG])
def test_a_dynptr_has_a_greatest_size(pair: Any, size: int) -> None:
    with ExitStack() as stack:
        for each in pair.maps("ARRAY", value=LONG, max_entries=1, name="large"):
            stack.enter_context(each)
        pair.agree(MAKE.format(map="large", size=size, flags=0) + "r0 = r9\nexit", PACKET, type="xdp")
