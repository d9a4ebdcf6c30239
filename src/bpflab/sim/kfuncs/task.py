"""Tasks: held, given back, found by number (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.holds import hold, let_go

if TYPE_CHECKING:
    from bpflab.sim.tasks import Task
    from bpflab.sim.test_run import Environment

HELD: Final = "task"


def bpf_task_acquire(env: Environment, p: int) -> int:
    """Hold a task."""
    return hold(env, task_at(env, p).address, HELD)


def bpf_task_release(env: Environment, p: int) -> None:
    """Give a task back."""
    let_go(env, p)


def bpf_task_from_pid(env: Environment, pid: int) -> int:
    """Find a task of the world by its number."""
    tasks = known_tasks(env)
    return next((hold(env, each.address, HELD) for each in tasks if each.pid == pid), 0)


def bpf_task_from_vpid(env: Environment, vpid: int) -> int:
    """Find a task by its number in the PID namespace of the current task."""
    space = namespace_of(env.kernel.world.current)
    seen = (each for each in known_tasks(env) if namespace_of(each) == space)
    return next((hold(env, each.address, HELD) for each in seen if number_of(each) == vpid), 0)


def bpf_task_under_cgroup(env: Environment, task: int, ancestor: int) -> int:
    """Tell whether a task is in a cgroup or below it."""
    group = task_at(env, task).cgroup
    return int(group is not None and any(each.laid_out and int(each) == ancestor for each in group.way))


def known_tasks(env: Environment) -> list[Task]:
    """Return the tasks of the world, the current one among them."""
    current = env.kernel.world.current
    tasks = env.kernel.world.tasks
    return list(tasks) if current in tasks else [*tasks, current]


def namespace_of(task: Task) -> tuple[int, int] | None:
    """Return device and inode of a task's PID namespace, None for the first one."""
    return None if task.namespace is None else (task.namespace[0], task.namespace[1])


def number_of(task: Task) -> int:
    """Return a task's number in its own PID namespace."""
    return task.pid if task.namespace is None else task.namespace[2]


def task_at(env: Environment, address: int) -> Task:
    """Return the task whose structure is at an address; a fault where there is none."""
    found = env.kernel.world.task_at(address)
    if found is None:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"there is no task at {address:#x}")
    return found
