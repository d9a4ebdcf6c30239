"""Stacks of the current task and of others, as the test gave them (kernel/bpf/stackmap.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.callchain import BUILD_ID_ENTRY, SKIP, USER, copied, depth, entries
from bpflab.sim.maps.stack_trace import FAST_STACK_CMP, REUSE_STACKID, StackTraceMap

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.tasks import Task
    from bpflab.sim.test_run import Environment

STACKID_FLAGS: Final = SKIP | USER | FAST_STACK_CMP | REUSE_STACKID


def get_stackid(env: Environment, ctx: object, map: SimMap, flags: int) -> int:
    """Keep the stack in a map and give its id; EINVAL, EFAULT without a stack, EEXIST when another one has the id."""
    del ctx
    if flags & ~STACKID_FLAGS or not isinstance(map, StackTraceMap):
        return -Errno.EINVAL
    task = env.kernel.world.current
    if depth(task, flags) <= flags & SKIP:
        return -Errno.EFAULT
    build_ids = map.entry_size == BUILD_ID_ENTRY
    return map.keep_trace(b"".join(entries(task, flags, env.kernel.memory.order, build_ids=build_ids)), flags)


def get_stack(env: Environment, ctx: object, buf: Buffer, size: int, flags: int) -> int:
    """Copy the stack, zeros behind it; gives how many bytes it has. EINVAL, EFAULT."""
    del ctx
    return _copy(env, env.kernel.world.current, buf, size, flags)


def get_task_stack(env: Environment, task: int, buf: Buffer, size: int, flags: int) -> int:
    """Copy the stack of a task; EOPNOTSUPP for the user stack of another one."""
    world = env.kernel.world
    found = world.task_at(task)
    if found is None:
        buf.fill(b"")
        return -Errno.EFAULT
    if found is not world.current and flags & USER:
        buf.fill(b"")
        return -Errno.EOPNOTSUPP
    return _copy(env, found, buf, size, flags)


def _copy(env: Environment, task: Task, buf: Buffer, size: int, flags: int) -> int:
    found = copied(task, flags, size, env.kernel.memory.order)
    if isinstance(found, Errno):
        buf.fill(b"")
        return -found
    buf.fill(found)
    return len(found)
