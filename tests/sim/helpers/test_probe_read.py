"""Copies from unsafe addresses answer and fill as the running kernel's do."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.programs.result import signed

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROOM = 48
READS = ["probe_read_kernel", "probe_read_user", "probe_read"]
TEXTS = ["probe_read_kernel_str", "probe_read_user_str", "probe_read_str"]
CONTENT = st.builds(
    lambda text, rest: (text + b"\0" + rest)[: ROOM - 1].ljust(ROOM, b"\0"),
    st.binary(max_size=ROOM),
    st.binary(max_size=ROOM),
)
"""Bytes with a zero somewhere, the last one at least."""
NOWHERE = [0, 8, 0xFFF, (1 << 64) - 4096, (1 << 64) - 8, 1 << 62, (1 << 47) - 4096, (1 << 47) - 1]
"""Addresses at which neither a kernel nor a process has anything."""


@pytest.fixture(scope="module")
def outs(pair: Any) -> Iterator[tuple[Any, Any]]:
    kernel, sim = pair.maps("ARRAY", value=2 * ROOM, max_entries=1, name="out")
    with kernel, sim:
        yield kernel, sim


def copying(helper: str, size: int, source: str) -> str:
    """A program that copies into the first half of the map's value; `source` sets r3 and may use r6, the value."""
    return f"""
        r6 = map[name:out][0]+0
        {source}
        r1 = r6
        r2 = {size}
        call {helper}
        exit
    """


def ran(lab: Lab, out: Any, code: str, value: bytes) -> tuple[int, bytes]:
    out[0] = value
    with closing(lab.program(code, type="raw_tracepoint")) as program:
        retval = signed(program.run().retval)
    return retval, bytes(out[0])


@pytest.mark.parametrize("helper", [*READS, *TEXTS])
@SETTINGS
@given(size=st.integers(0, ROOM), address=st.sampled_from(NOWHERE))
@example(size=0, address=0)
def test_nothing_is_read_from_nowhere(pair: Any, outs: Any, helper: str, size: int, address: int) -> None:
    code, filled = copying(helper, size, f"r3 = {address} ll"), b"\xaa" * 2 * ROOM
    kernel, sim = (ran(lab, out, code, filled) for lab, out in zip((pair.kernel, pair.sim), outs, strict=True))
    assert sim == kernel


@pytest.mark.parametrize(
    "helper", ["probe_read_kernel", "probe_read", "probe_read_kernel_str", "probe_read_str", "probe_read_user"]
)
@SETTINGS
@given(size=st.integers(0, ROOM), content=CONTENT)
@example(size=8, content=b"a" * 7 + bytes(ROOM - 7))
@example(size=8, content=b"a" * 8 + bytes(ROOM - 8))
def test_the_kernels_memory_is_copied_alike(pair: Any, outs: Any, helper: str, size: int, content: bytes) -> None:
    code = copying(helper, size, f"r3 = r6\nr3 += {ROOM}")
    value = b"\xaa" * ROOM + content
    kernel, sim = (ran(lab, out, code, value) for lab, out in zip((pair.kernel, pair.sim), outs, strict=True))
    assert sim == kernel


@pytest.mark.parametrize(
    "helper", ["probe_read_user", "probe_read", "probe_read_user_str", "probe_read_str", "probe_read_kernel"]
)
@SETTINGS
@given(size=st.integers(0, ROOM), content=CONTENT)
@example(size=3, content=b"a" * 1 + bytes(ROOM - 1))
@example(size=16, content=b"a" * 9 + bytes(ROOM - 9))
@example(size=8, content=b"a" * 8 + bytes(ROOM - 8))
def test_a_processs_memory_is_copied_alike(pair: Any, outs: Any, helper: str, size: int, content: bytes) -> None:
    real = ctypes.create_string_buffer(content, ROOM)
    addresses = ctypes.addressof(real), pair.sim.world.user_memory(content)
    kernel, sim = (
        ran(lab, out, copying(helper, size, f"r3 = {address} ll"), b"\xaa" * 2 * ROOM)
        for lab, out, address in zip((pair.kernel, pair.sim), outs, addresses, strict=True)
    )
    assert sim == kernel


@pytest.mark.parametrize("size", [1, 8, ROOM])
def test_a_program_writes_into_a_process(size: int) -> None:
    with Lab("sim") as lab:
        out = lab.map("ARRAY", value=ROOM, max_entries=1, name="out")
        out[0] = bytes(range(1, ROOM + 1))
        address = lab.world.user_memory(bytes(ROOM))
        code = f"r1 = {address} ll\nr2 = map[name:out][0]+0\nr3 = {size}\ncall probe_write_user\nexit"
        assert lab.program(code, type="raw_tracepoint").run().retval == 0
        assert lab.world.read(address, ROOM) == bytes(range(1, size + 1)).ljust(ROOM, b"\0")


def test_a_program_writes_nowhere_else() -> None:
    with Lab("sim") as lab:
        for address in (lab.world.kernel_memory(bytes(8)), 0, lab.world.user_memory(bytes(4))):
            code = f"*(u64 *)(r10 - 8) = r1\nr1 = {address} ll\nr2 = r10\nr2 += -8\nr3 = 8\ncall probe_write_user\nexit"
            assert signed(lab.program(code, type="raw_tracepoint").run().retval) == -14


@pytest.mark.parametrize(("flags", "answer"), [(0, 0), (1, -22)])
def test_the_memory_of_another_task_is_copied(flags: int, answer: int) -> None:
    with Lab("sim") as lab:
        address, task = lab.world.user_memory(b"12345678"), lab.world.task(pid=7)
        code = f"""
            r1 = r10
            r1 += -8
            r2 = 8
            r3 = {address} ll
            r4 = {int(task)} ll
            r5 = {flags}
            call copy_from_user_task
            if r0 != 0 goto out
            r1 = *(u64 *)(r10 - 8)
            r0 = {int.from_bytes(b"12345678", sys.byteorder)} ll
            r0 ^= r1
        out:
            exit
        """
        lab.world.helpers["get_current_task"] = lambda _env: int(task)
        program = lab.program(code, type="syscall", flags=1 << 4)
        assert signed(program.run().retval) == answer
