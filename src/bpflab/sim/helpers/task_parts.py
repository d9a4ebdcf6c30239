"""Parts of a task: the registers that it saved, its memory areas (kernel/trace/bpf_trace.c, kernel/bpf/task_iter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.region import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def task_pt_regs(env: Environment, task: int) -> int:
    """Give the address of a task's user registers."""
    found = env.kernel.world.task_at(task)
    regs = found.saved(env.kernel.memory.order) if found is not None else b""
    scope = env.run.scope
    return scope.add(RegionKind.KERNEL_OBJECT, bytearray(regs), name="pt_regs", writable=False).address


def find_vma(env: Environment, task: int, addr: int, callback_fn: int, callback_ctx: int | None, flags: int) -> int:
    """Call back with (task, area, context) for the area that holds an address; ENOENT, EINVAL for flags."""
    if flags:
        return -Errno.EINVAL
    found = env.kernel.world.task_at(task)
    for area in found.areas if found is not None else ():
        if area.vm_start <= addr < area.vm_end:
            env.run.call(callback_fn, task, int(area), callback_ctx or 0)
            return 0
    return -Errno.ENOENT
