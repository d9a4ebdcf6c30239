"""Stacks are those that the test gave, and are asked for as the running kernel's are."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.flags import MapFlag
from bpflab.programs.result import signed

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KERNEL, USER = [0x1000 + at for at in range(5)], [0x400000 + at for at in range(3)]
GET = "r6 = r1\nr2 = map[name:out][0]+0\nr3 = {size}\nr4 = {flags} ll\ncall get_stack\nexit"
GET_ID = "r2 = map[name:traces]\nr3 = {flags} ll\ncall get_stackid\nexit"
ROOM = 64


def words(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(8, sys.byteorder) for value in values)


@pytest.fixture
def lab() -> Any:
    with Lab("sim") as lab:
        lab.world.current = lab.world.task(pid=7, kernel_stack=KERNEL, user_stack=USER)
        yield lab


@given(skip=st.integers(0, 6), size=st.integers(0, 8).map(lambda count: 8 * count), user=st.booleans())
@example(skip=5, size=64, user=False)
@example(skip=3, size=8, user=True)
def test_calls_are_copied_from_the_innermost_on(skip: int, size: int, user: bool) -> None:
    chain = USER if user else KERNEL
    with Lab("sim") as lab:
        lab.world.current = lab.world.task(pid=7, kernel_stack=KERNEL, user_stack=USER)
        out = lab.map("ARRAY", value=ROOM, max_entries=1, name="out")
        out[0] = b"\xaa" * ROOM
        program = lab.program(GET.format(size=size, flags=skip | user << 8), type="kprobe")
        answer = signed(program.run(ctx=bytes(168)).retval)
        wanted = words(chain[skip:])[:size]
        assert answer == (len(wanted) if skip <= len(chain) else -14)
        filled = wanted.ljust(size, b"\0") if answer >= 0 else bytes(size)
        assert out[0] == filled.ljust(ROOM, b"\xaa")


@pytest.mark.parametrize("kind", ["raw_tracepoint"])
@SETTINGS
@given(
    size=st.integers(0, ROOM), flags=st.integers(9, 63).map(lambda bit: 1 << bit) | st.sampled_from([1 << 11, 3 << 8])
)
@example(size=7, flags=0)
@example(size=8, flags=(1 << 8) | (1 << 11))
@example(size=8, flags=1 << 11)
def test_flags_and_sizes_that_are_none_are_refused_alike(pair: Any, kind: str, size: int, flags: int) -> None:
    with ExitStack() as stack:
        outs = [stack.enter_context(each) for each in pair.maps("ARRAY", value=ROOM, max_entries=1, name="out")]
        for each in outs:
            each[0] = b"\xaa" * ROOM
        answers = pair.answers(GET.format(size=size, flags=flags), b"", type=kind)
        assert answers[0] == answers[1]
        assert outs[0][0] == outs[1][0]


@pytest.mark.parametrize("flags", [1 << 11, 1 << 12, 1 << 20, 1 << 63, 0xFF])
def test_ids_are_refused_alike(pair: Any, flags: int) -> None:
    with ExitStack() as stack:
        for each in pair.maps("STACK_TRACE", value=ROOM, max_entries=4, name="traces"):
            stack.enter_context(each)
        answers = pair.answers(GET_ID.format(flags=flags), b"", type="raw_tracepoint")
        assert answers[0] == answers[1]


def test_a_stack_is_kept_under_an_id(lab: Lab) -> None:
    traces = lab.map("STACK_TRACE", value=ROOM, max_entries=4, name="traces")
    number = lab.program(GET_ID.format(flags=1), type="kprobe").run(ctx=bytes(168)).retval
    assert list(traces[number]) == KERNEL[1:]


def test_a_stack_of_build_ids_is_kept(lab: Lab) -> None:
    lab.world.current = lab.world.task(pid=7, user_stack=[(b"\x11" * 20, 0x123), 0x456])
    traces = lab.map("STACK_TRACE", value=ROOM, max_entries=4, name="traces", flags=MapFlag.STACK_BUILD_ID)
    number = lab.program(GET_ID.format(flags=1 << 8), type="kprobe").run(ctx=bytes(168)).retval
    assert [(frame.build_id, frame.place) for frame in traces[number]] == [(b"\x11" * 20, 0x123), (b"", 0x456)]


def test_a_task_without_a_stack_has_none(lab: Lab) -> None:
    lab.map("STACK_TRACE", value=ROOM, max_entries=4, name="traces")
    lab.world.current = lab.world.task(pid=8)
    assert signed(lab.program(GET_ID.format(flags=0), type="kprobe").run(ctx=bytes(168)).retval) == -14


@pytest.mark.usefixtures("kernel_types")
@pytest.mark.parametrize(("own", "user", "answer"), [(True, 0, 40), (True, 1, 24), (False, 0, 8), (False, 1, -95)])
def test_the_stack_of_a_task_is_copied(lab: Lab, own: bool, user: int, answer: int) -> None:
    other = lab.world.task(pid=8, kernel_stack=[1])
    lab.map("ARRAY", value=ROOM, max_entries=1, name="out")
    types = lab.world.types.btf
    assert types is not None
    code = f"""
        r1 = *(u64 *)(r1 + 0)
        r2 = map[name:out][0]+0
        r3 = {ROOM}
        r4 = {user << 8}
        call get_task_stack
        r6 = map[name:out][0]+0
        *(u64 *)(r6 + 56) = r0
        r0 = 0
        exit
    """
    where: Any = {"attach_type": "TRACE_RAW_TP", "attach_btf_id": types.find("btf_trace_sched_process_exec")}
    lab.program(code, type="tracing", **where).run(args=[lab.world.current if own else other])
    value = bytes(lab.maps["out"][0])
    assert int.from_bytes(value[56:], sys.byteorder, signed=True) == answer
