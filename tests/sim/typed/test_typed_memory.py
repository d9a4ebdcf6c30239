"""Objects of the kernel's types, laid out by a test and followed by programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.kfuncs import KfuncFlag
from bpflab.errors import ArgumentError, UnsetFieldWarning
from bpflab.programs.verifier import VerifierError
from bpflab.sim.backend import SimBackend
from bpflab.sim.events import UnsetRead
from bpflab.sim.kernel import Machine

if TYPE_CHECKING:
    from bpflab.objects.loaded import LoadedObject

SOURCE = Path(__file__).with_name("typed_programs.bpf.c")
pytestmark = pytest.mark.usefixtures("kernel_types")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        lab.world.kfunc("int bpf_score(struct task_struct *task, u64 weight)", lambda _env, _task, weight: 2 * weight)
        yield lab


@pytest.fixture
def programs(lab: Lab) -> LoadedObject:
    return lab.load(SOURCE)


def seen(programs: LoadedObject) -> int:
    value: int = programs.maps[".bss"][0].seen
    return value


def test_a_program_follows_pointers_between_objects(lab: Lab, programs: LoadedObject) -> None:
    parent = lab.world.struct("task_struct", tgid=100)
    programs.programs["sees_parent"].run(args=[lab.world.struct("task_struct", pid=7, real_parent=parent)])
    assert seen(programs) == 107


def test_a_null_pointer_reads_as_zeros(lab: Lab, programs: LoadedObject) -> None:
    orphan = lab.world.struct("task_struct", pid=7, real_parent=None)
    programs.programs["sees_parent"].run(args=[orphan])
    assert seen(programs) == 7


def test_a_field_that_was_not_given_is_told_of(lab: Lab, programs: LoadedObject) -> None:
    task = lab.world.struct("task_struct", pid=7)
    with pytest.warns(UnsetFieldWarning, match="real_parent of struct task_struct"):
        programs.programs["sees_parent"].run(args=[task])
    assert [event.field for event in lab.world.seen(UnsetRead)] == ["real_parent"]


@pytest.mark.parametrize(("argc", "answer"), [(0, 0), (3, 0), (4, -1 & 0xFFFFFFFF)])
def test_a_security_hook_answers_with_an_errno(lab: Lab, programs: LoadedObject, argc: int, answer: int) -> None:
    bprm = lab.world.struct("linux_binprm", argc=argc)
    assert programs.programs["few_arguments"].run(args=[bprm, 0]).retval == answer


def test_a_function_of_the_test_answers_as_a_kernel_function(lab: Lab, programs: LoadedObject) -> None:
    programs.programs["scores"].run(args=[lab.world.struct("task_struct"), 0, 0])
    assert seen(programs) == 10


def test_a_kernel_function_that_is_not_there_is_refused_by_name() -> None:
    with Lab("sim") as lab:
        lab.world.types.declare("int bpf_score(struct task_struct *task, u64 weight)", KfuncFlag.NONE)
        with pytest.raises(VerifierError, match="bpf_score is not allowed"):
            lab.load(SOURCE, programs=["scores"])


@given(
    pid=st.integers(-(1 << 31), (1 << 31) - 1),
    comm=st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=15),
)
def test_fields_read_back_as_they_were_given(pid: int, comm: str) -> None:
    with Lab("sim") as lab:
        task = lab.world.struct("task_struct", pid=pid, comm=comm)
        assert (task.pid, task.comm) == (pid, comm)


@given(value=st.integers(0, 1))
def test_bitfields_do_not_touch_their_neighbours(value: int) -> None:
    with Lab("sim") as lab:
        task = lab.world.struct("task_struct", in_execve=1 - value, in_iowait=value)
        assert (task.in_execve, task.in_iowait) == (1 - value, value)


def test_nested_structs_take_mappings_and_dotted_names(lab: Lab) -> None:
    task = lab.world.struct("task_struct", se={"vruntime": 5})
    task.fill({"se.exec_start": 6})
    assert (task.se.vruntime, task.se.exec_start) == (5, 6)


def test_a_wrong_field_is_answered_with_near_names(lab: Lab) -> None:
    with pytest.raises(ArgumentError, match=r"no field 'pidd'.*pid"):
        lab.world.struct("task_struct", pidd=1)


def test_a_kernel_without_types_says_how_to_give_some() -> None:
    with Lab(SimBackend(Machine(btf=None))) as lab, pytest.raises(ArgumentError, match=r"Machine\(btf="):
        lab.world.struct("task_struct")
