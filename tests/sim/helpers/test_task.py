"""The current task is what the test says, and is asked as the running kernel's is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.errors import ArgumentError
from bpflab.programs.result import signed
from bpflab.sim.backend import SimBackend
from bpflab.sim.events import Signal
from bpflab.sim.kernel import Machine

SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
U32 = st.integers(0, (1 << 32) - 1)
ROOM = 40
OUT = "r6 = map[name:out][0]+0\n"
"""Leaves the address of the map's value in r6."""


@pytest.fixture
def outs(pair: Any) -> Iterator[tuple[Any, Any]]:
    pair.sim.world.current = pair.sim.world.this_thread()
    kernel, sim = pair.maps("ARRAY", value=ROOM, max_entries=1, name="out")
    with kernel, sim:
        yield kernel, sim


def ran(lab: Lab, out: Any, code: str) -> tuple[int, bytes]:
    out[0] = b"\xaa" * ROOM
    with closing(lab.program(OUT + code + "\nexit", type="raw_tracepoint")) as program:
        return signed(program.run().retval), bytes(out[0])


def both(pair: Any, outs: Any, code: str) -> list[tuple[int, bytes]]:
    return [ran(lab, out, code) for lab, out in zip((pair.kernel, pair.sim), outs, strict=True)]


@pytest.mark.parametrize("helper", ["get_current_pid_tgid", "get_current_uid_gid"])
def test_the_thread_that_asks_has_the_numbers_that_the_running_kernel_gives(pair: Any, outs: Any, helper: str) -> None:
    kernel, sim = both(pair, outs, f"call {helper}\n*(u64 *)(r6 + 0) = r0\nr0 = 0")
    assert sim == kernel


@pytest.mark.parametrize("size", [1, 2, 6, 15, 16, 17, ROOM])
def test_its_name_is_copied_alike(pair: Any, outs: Any, size: int) -> None:
    kernel, sim = both(pair, outs, f"r1 = r6\nr2 = {size}\ncall get_current_comm")
    assert sim == kernel


@pytest.mark.parametrize("asked", [(0, 0, 8), (1, 1, 8), (0, 0, 7), (-1, 0, 8), (0, 1, 16), (1 << 32, 0, 8)])
@pytest.mark.parametrize("own", [True, False])
def test_its_numbers_in_a_namespace_are_given_alike(
    pair: Any, outs: Any, asked: tuple[int, int, int], own: bool
) -> None:
    device, inode, size = asked
    status = Path("/proc/self/ns/pid").stat()
    base = (status.st_dev, status.st_ino) if own else (0, 0)
    numbers = [(each + add) & ((1 << 64) - 1) for each, add in zip(base, (device, inode), strict=True)]
    code = f"r1 = {numbers[0]} ll\nr2 = {numbers[1]} ll\nr3 = r6\nr4 = {size}\ncall get_ns_current_pid_tgid"
    kernel, sim = both(pair, outs, code)
    assert sim == kernel


@pytest.mark.parametrize("helper", ["send_signal", "send_signal_thread"])
@pytest.mark.parametrize("number", [0, 65, 66, 1000, (1 << 31)])
def test_signals_that_are_none_are_answered_alike(pair: Any, outs: Any, helper: str, number: int) -> None:
    kernel, sim = both(pair, outs, f"r1 = {number} ll\ncall {helper}")
    assert sim == kernel


@given(pid=U32, tgid=U32, uid=U32, gid=U32)
@example(pid=0, tgid=0, uid=0, gid=0)
def test_a_test_says_who_runs(pid: int, tgid: int, uid: int, gid: int) -> None:
    with Lab("sim") as lab:
        lab.world.current = lab.world.task(pid=pid, tgid=tgid, uid=uid, gid=gid)
        code = "call get_current_{}\nr0 {}= 32\nexit"
        read = [("pid_tgid", "<<"), ("pid_tgid", ">>"), ("uid_gid", ">>")]
        halves = [lab.program(code.format(*each), type="kprobe").run(ctx=bytes(168)).retval for each in read]
        assert halves == [0, tgid, gid]
        lows = [
            lab.program(f"call get_current_{name}\nexit", type="raw_tracepoint").run().retval
            for name in ("pid_tgid", "uid_gid")
        ]
        assert lows == [pid, uid]


def test_a_signal_is_an_event() -> None:
    with Lab("sim") as lab:
        lab.world.current = lab.world.task(pid=8, tgid=7)
        for helper in ("send_signal", "send_signal_thread"):
            lab.program(f"r1 = 9\ncall {helper}\nexit", type="raw_tracepoint", name="killer").run()
        assert lab.world.seen(Signal) == [Signal("killer", 7, 9, thread=False), Signal("killer", 8, 9, thread=True)]


@pytest.mark.parametrize("options", [{"pid": 1}, {"pid": 7, "kernel_thread": True}])
def test_the_first_process_and_the_kernels_own_get_no_signals(options: dict[str, Any]) -> None:
    with Lab("sim") as lab:
        lab.world.current = lab.world.task(**options)
        assert signed(lab.program("r1 = 9\ncall send_signal\nexit", type="raw_tracepoint").run().retval) == -1
        assert not lab.world.seen(Signal)


def test_cgroups_of_a_task_are_told_by_id_and_level() -> None:
    with Lab("sim") as lab:
        service = lab.world.cgroup(name="service", id=50)
        lab.world.current = lab.world.task(pid=7, cgroup=lab.world.cgroup(parent=service, id=60))
        levels = [
            lab.program(f"r1 = {level}\ncall get_current_ancestor_cgroup_id\nexit", type="raw_tracepoint").run().retval
            for level in (-1, 0, 1, 2, 3)
        ]
        assert levels == [0, 1, 50, 60, 0]
        assert lab.program("call get_current_cgroup_id\nexit", type="raw_tracepoint").run().retval == 60


def test_a_task_is_under_the_cgroups_of_the_directories_above_its_own(tmp_path: Path) -> None:
    (tmp_path / "service" / "web").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    with Lab("sim") as lab:
        lab.world.cgroup(tmp_path / "service")
        lab.world.current = lab.world.task(pid=7, cgroup=tmp_path / "service" / "web")
        groups = lab.map("CGROUP_ARRAY", max_entries=4, name="groups")
        for index, name in enumerate(("service", "service/web", "other")):
            descriptor = os.open(tmp_path / name, os.O_RDONLY)
            groups[index] = descriptor
            os.close(descriptor)
        code = "r1 = map[name:groups]\nr2 = {}\ncall current_task_under_cgroup\nexit"
        answers = [signed(lab.program(code.format(at), type="raw_tracepoint").run().retval) for at in range(5)]
    assert answers == [1, 1, 0, -11, -7]


@pytest.mark.parametrize("options", [{"pid": "x"}, {"pid": -1}, {"pid": 1, "uid": 1 << 32}, {"pid": 1, "comm": 5}])
def test_a_task_that_cannot_be_is_refused_in_words(options: dict[str, Any]) -> None:
    with Lab("sim") as lab, pytest.raises(ArgumentError, match="expected"):
        lab.world.task(**options)


def test_only_a_task_becomes_the_current_one() -> None:
    with Lab("sim") as lab, pytest.raises(ArgumentError, match=r"world\.task"):
        lab.world.current = 5  # type: ignore[assignment]  # wrong on purpose


def test_a_task_works_without_types() -> None:
    with Lab(SimBackend(Machine(btf=None))) as lab:
        lab.world.current = lab.world.task(pid=7, comm="curl")
        code = "call get_current_task\nr6 = r0\ncall get_current_pid_tgid\nif r6 == 0 goto +1\nexit\nr0 = 0\nexit"
        assert lab.program(code, type="raw_tracepoint").run().retval == 7
