"""Iterators over tasks, and over the memory areas of one (kernel/bpf/task_iter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.iteration import TaskWalk
from bpflab.sim import iterators
from bpflab.sim.kfuncs.task import known_tasks, task_at

if TYPE_CHECKING:
    from bpflab.sim.tasks import Task
    from bpflab.sim.test_run import Environment


def bpf_iter_task_new(env: Environment, it: int, task: int, flags: int) -> int:
    """Begin over processes, over all threads, or over the threads of one process."""
    iterators.begin(env, it, ())
    if flags not in set(TaskWalk) or (flags == TaskWalk.PROC_THREADS and not task):
        return -Errno.EINVAL
    iterators.begin(env, it, [each.address for each in _walked(env, task, TaskWalk(flags))])
    return 0


def bpf_iter_task_next(env: Environment, it: int) -> int:
    """Give the next task, null at the end."""
    return iterators.advance(env, it) or 0


def bpf_iter_task_destroy(env: Environment, it: int) -> None:
    """End it."""
    iterators.end(env, it)


def bpf_iter_task_vma_new(env: Environment, it: int, task: int, addr: int) -> int:
    """Begin over the memory areas of a task that end after an address."""
    areas = task_at(env, task).areas
    iterators.begin(env, it, [int(each) for each in areas if each.vm_end > addr])
    return 0


def bpf_iter_task_vma_next(env: Environment, it: int) -> int:
    """Give the next area, null at the end."""
    return iterators.advance(env, it) or 0


def bpf_iter_task_vma_destroy(env: Environment, it: int) -> None:
    """End it."""
    iterators.end(env, it)


def _walked(env: Environment, task: int, walk: TaskWalk) -> list[Task]:
    tasks = known_tasks(env)
    if walk is TaskWalk.ALL_PROCS:
        return [each for each in tasks if each.pid == each.tgid]
    if walk is TaskWalk.ALL_THREADS:
        return tasks
    process = task_at(env, task).tgid
    return [each for each in tasks if each.tgid == process]
