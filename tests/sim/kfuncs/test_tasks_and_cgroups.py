"""Tasks and cgroups are found, held and walked over in the world that a test lays out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bpflab import Lab
from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).with_name("task_programs.bpf.c")
SYSCALLS = ["find_task", "find_task_here", "find_cgroup", "walk_tasks", "walk_threads", "walk_tree"]
pytestmark = pytest.mark.filterwarnings("ignore::bpflab.errors.UnsetFieldWarning")
EINVAL = -22


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        if lab.world.types.btf is None:
            pytest.skip("the simulated kernel has no types here")
        yield lab


@pytest.fixture
def run(lab: Lab) -> Callable[..., Any]:
    """Lay out cgroups 1 / 2 / 3 and 1 / 4 with tasks 1 to 5, and give what runs a program on them."""
    world = lab.world
    two = world.cgroup(id=2)
    groups = {1: world.root_cgroup, 2: two, 3: world.cgroup(id=3, parent=two), 4: world.cgroup(id=4)}
    for pid, tgid, group in ((1, 1, 1), (2, 2, 2), (3, 2, 2), (4, 2, 2), (5, 5, 3)):
        world.task(pid=pid, tgid=tgid, comm=f"task {pid}", cgroup=groups[group])
    world.current = world.tasks[0]
    loaded = lab.load(SOURCE, programs=SYSCALLS)

    def run(program: str, **variables: Any) -> Any:
        for name, value in variables.items():
            setattr(loaded.bss, name, value)
        loaded.bss.made = loaded.programs[program].run(b"").retval if not program.startswith("walk") else 0
        if program.startswith("walk"):
            loaded.programs[program].run(b"")
        return loaded.bss

    return run


def test_a_task_is_found_by_its_number(run: Callable[..., Any]) -> None:
    found = run("find_task", pid=3)
    assert (found.made, list(found.parts)[:2], found.comm) == (0, [3, 2], "task 3")


@pytest.mark.parametrize("program", ["find_task", "find_task_here"])
@pytest.mark.parametrize("pid", [0, 9, -1])
def test_a_task_that_is_not_there_is_not_found(run: Callable[..., Any], program: str, pid: int) -> None:
    assert run(program, pid=pid).made == 1


def test_numbers_of_a_namespace_are_those_of_the_current_task(lab: Lab) -> None:
    space = (4, 0xF000)
    lab.world.current = lab.world.task(pid=70, namespace=(*space, 1, 1))
    lab.world.task(pid=71, namespace=(*space, 2, 2))
    lab.world.task(pid=2)
    loaded = lab.load(SOURCE, programs=["find_task_here"])
    loaded.bss.pid = 2
    assert loaded.programs["find_task_here"].run(b"").retval == 0
    assert loaded.bss.parts[0] == 71


@pytest.mark.parametrize(("level", "above", "under"), [(0, 1, 1), (1, 2, 1), (2, 3, 0), (3, 0, -1), (-1, 0, -1)])
def test_a_cgroup_has_those_above_it(run: Callable[..., Any], level: int, above: int, under: int) -> None:
    found = run("find_cgroup", group=3, level=level, pid=2)
    assert (found.made, found.parts[0], found.above, found.under) == (0, 2, above, under)


def test_a_cgroup_that_is_not_there_is_not_found(run: Callable[..., Any]) -> None:
    assert run("find_cgroup", group=77).made == 1


@pytest.mark.parametrize(
    ("flags", "pid", "made", "order"),
    [(0, 0, 0, 125), (1, 0, 0, 12345), (2, 3, 0, 234), (2, 0, EINVAL, 0), (3, 3, EINVAL, 0)],
)
def test_tasks_are_walked_over(run: Callable[..., Any], flags: int, pid: int, made: int, order: int) -> None:
    found = run("walk_threads" if pid else "walk_tasks", flags=flags, pid=pid)
    assert (found.made, found.order) == (made, order)


@pytest.mark.parametrize(
    ("flags", "group", "made", "order"),
    [(2, 1, 0, 1234), (3, 1, 0, 3241), (4, 3, 0, 321), (2, 4, 0, 4), (1, 1, EINVAL, 0), (5, 1, EINVAL, 0)],
)
def test_the_tree_is_walked_over(run: Callable[..., Any], flags: int, group: int, made: int, order: int) -> None:
    found = run("walk_tree", flags=flags, group=group)
    assert (found.made, found.order) == (made, order)


def test_the_kernel_finds_the_same_of_a_task(load_twins: Callable[[Path], Any]) -> None:
    twins = load_twins(SOURCE)
    world = twins.sim.lab.world
    world.current = world.task(pid=os.getpid(), comm=Path("/proc/self/comm").read_text().strip())
    for pid in (os.getpid(), 0, -1, 1 << 30):
        twins.agree("find_task", b"", pid=pid)


@pytest.mark.parametrize(
    ("flags", "pid"), [(2, 0), (3, os.getpid()), (1 << 31, 0)], ids=["threads of none", "3", "high"]
)
def test_the_kernel_refuses_the_same_walks(load_twins: Callable[[Path], Any], flags: int, pid: int) -> None:
    twins = load_twins(SOURCE)
    twins.sim.lab.world.task(pid=os.getpid())
    twins.agree("walk_threads" if pid else "walk_tasks", b"", flags=flags, pid=pid)


@pytest.mark.parametrize("name", ["walks_from_what_may_be_null", "walks_without_rcu"])
def test_broken_rules_of_walks_are_refused_with_the_same_errno(load_twins: Callable[[Path], Any], name: str) -> None:
    twins, failures = load_twins(SOURCE), []
    for each in (twins.kernel, twins.sim):
        with pytest.raises(VerifierError) as caught:
            each.lab.load(SOURCE, programs=[name])
        failures.append(caught.value.failure.errno)
    assert failures[0] == failures[1]
