"""Programs follow the current task as memory of its type, and read records of tracepoints that BTF describes."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpflab import Lab
from bpflab.contexts import PtRegs
from bpflab.errors import ArgumentError, InputError

if TYPE_CHECKING:
    from bpflab.objects.loaded import LoadedObject

SOURCE = Path(__file__).with_name("current_task.bpf.c")
pytestmark = pytest.mark.usefixtures("kernel_types")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


@pytest.fixture
def programs(lab: Lab) -> LoadedObject:
    return lab.load(SOURCE)


def seen(programs: LoadedObject, count: int) -> list[int]:
    return list(programs.maps[".bss"][0].seen)[:count]


@pytest.mark.parametrize("way", ["direct", "copied"])
def test_a_program_follows_the_current_task(lab: Lab, programs: LoadedObject, way: str) -> None:
    group = lab.world.cgroup(name="web", id=60)
    parent = lab.world.task(pid=1, comm="init")
    lab.world.current = lab.world.task(pid=8, tgid=7, comm="curl", uid=1000, parent=parent, cgroup=group)
    programs.programs[way].run()
    assert seen(programs, 5) == [8, 1, 1000, 60, 1]


def test_a_structure_of_the_tests_own_becomes_the_current_task(lab: Lab, programs: LoadedObject) -> None:
    task = lab.world.struct("task_struct", pid=8, tgid=7, comm="curl")
    task.forgive()
    lab.world.current = task
    programs.programs.direct.run()
    assert (lab.world.current.tgid, lab.world.current.comm, seen(programs, 1)) == (7, "curl", [8])


def test_the_area_of_an_address_is_handed_to_a_function(lab: Lab, programs: LoadedObject) -> None:
    area = lab.world.struct("vm_area_struct", vm_start=0x5000, vm_end=0x6000)
    lab.world.current = lab.world.task(pid=8, areas=[area])
    programs.programs.areas.run()
    assert seen(programs, 4) == [0, 0x5000, (1 << 64) - 2, (1 << 64) - 22]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads a register by its name on x86_64")
def test_a_tasks_registers_are_read_by_name(lab: Lab, programs: LoadedObject) -> None:
    lab.world.current = lab.world.task(pid=8, regs=PtRegs("x86_64", ip=0x1234))
    programs.programs.registers.run()
    assert seen(programs, 1) == [0x1234]


def test_a_record_is_laid_out_by_its_struct(lab: Lab, programs: LoadedObject) -> None:
    record = lab.world.tracepoint("sched_process_exec", pid=9, filename="/bin/sh")
    programs.programs.executed.run(ctx=record)
    assert (seen(programs, 1), programs.maps[".bss"][0].text) == ([9], "/bin/sh")


def test_an_event_that_is_not_there_is_answered_with_near_ones(lab: Lab) -> None:
    with pytest.raises(ArgumentError, match="sched_process_exec"):
        lab.world.tracepoint("sched_proces_exec")
    with pytest.raises(InputError, match="did you mean pid"):
        lab.world.tracepoint("sched_process_exec", pidd=1)
