"""Ring buffer helpers answer and deliver as the running kernel's do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.events import RingBufferConsumer

SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PACKET = bytes(64)
SIZE = 4096

OUTPUT = """
    r1 = map[name:ring]
    r2 = map[name:scratch][0]+0
    r3 = {size}
    r4 = {flags} ll
    call bpf_ringbuf_output
    r9 += r0
"""
RESERVE = """
    r1 = map[name:ring]
    r2 = {size}
    r3 = {flags} ll
    call bpf_ringbuf_reserve
    if r0 == 0 goto none{number}
    r9 += 1
    *(u8 *)(r0 + 0) = {number}
    r1 = r0
    r2 = {finish_flags} ll
    call bpf_ringbuf_{finish}
none{number}:
"""
DYNPTR = """
    r1 = map[name:ring]
    r2 = {size}
    r3 = {flags} ll
    r4 = r10
    r4 += -16
    call bpf_ringbuf_reserve_dynptr
    r9 += r0
    r1 = r10
    r1 += -16
    r2 = 1
    r3 = map[name:scratch][0]+0
    r4 = 3
    r5 = 0
    call bpf_dynptr_write
    r9 += r0
    r1 = r10
    r1 += -16
    r2 = {finish_flags} ll
    call bpf_ringbuf_{finish}_dynptr
"""
QUERY = """
    r1 = map[name:ring]
    r2 = {flags} ll
    call bpf_ringbuf_query
    r9 *= 31
    r9 += r0
"""
STEPS = st.builds(
    lambda text, size, flags, finish, finish_flags: (
        text,
        {"size": size, "flags": flags, "finish": finish, "finish_flags": finish_flags},
    ),
    st.sampled_from([OUTPUT, RESERVE, DYNPTR, QUERY]),
    st.one_of(st.integers(1, 200), st.sampled_from([8, 1000, 2040, 4088, 4089])),
    st.sampled_from([0, 0, 0, 1, 2, 3, 4, 1 << 40]),
    st.sampled_from(["submit", "submit", "discard"]),
    st.sampled_from([0, 1, 2]),
)


def program(steps: Sequence[tuple[str, dict[str, object]]]) -> str:
    parts = [text.format(number=number, **values) for number, (text, values) in enumerate(steps)]
    return "\n".join(["r9 = 0", *parts, "r0 = r9", "exit"])


@SETTINGS
@given(steps=st.lists(STEPS, min_size=1, max_size=8), drained=st.booleans())
def test_a_history_of_records_arrives_alike(
    pair: Any, steps: list[tuple[str, dict[str, object]]], drained: bool
) -> None:
    with ExitStack() as stack:
        rings = [stack.enter_context(each) for each in pair.maps("RINGBUF", max_entries=SIZE, name="ring")]
        for each in pair.maps("ARRAY", value=SIZE, max_entries=1, name="scratch"):
            stack.enter_context(each)[0] = bytes(range(256)) * 16
        consumers = [stack.enter_context(RingBufferConsumer(each)) for each in rings]
        for _ in range(3):
            pair.agree(program(steps), PACKET, type="xdp")
            kernel, sim = (consumer.drain() if drained else [] for consumer in consumers)
            assert sim == kernel
        kernel, sim = (consumer.drain() for consumer in consumers)
        assert sim == kernel
