"""The current task: who it is, its structure, signals to it (kernel/bpf/helpers.c, kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.events import Signal

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.tasks import Task
    from bpflab.sim.test_run import Environment

LAST_SIGNAL: Final = 64
PIDNS_INFO_SIZE: Final = 8
"""Bytes of struct bpf_pidns_info: pid and tgid."""
INIT: Final = 1


def get_current_pid_tgid(env: Environment) -> int:
    """Give tgid << 32 | pid."""
    task = env.kernel.world.current
    return task.tgid << 32 | task.pid


def get_current_uid_gid(env: Environment) -> int:
    """Give gid << 32 | uid."""
    task = env.kernel.world.current
    return task.gid << 32 | task.uid


def get_current_comm(env: Environment, buf: Buffer, size_of_buf: int) -> int:
    """Copy the name, zeros behind it, always a zero at the end."""
    buf.fill(env.kernel.world.current.name[: size_of_buf - 1])
    return 0


def get_current_task(env: Environment) -> int:
    """Give the address of the task's structure as a number."""
    return env.kernel.world.current.address


def get_current_task_btf(env: Environment) -> int:
    """Give it as a pointer."""
    return env.kernel.world.current.address


def get_ns_current_pid_tgid(env: Environment, dev: int, ino: int, nsdata: Buffer, size: int) -> int:
    """Write pid and tgid as the task's PID namespace has them; EINVAL for another namespace, with zeros."""
    nsdata.fill(b"")
    found = env.kernel.world.current.namespace
    if size != PIDNS_INFO_SIZE or found is None or found[:2] != (dev, ino):
        return -Errno.EINVAL
    nsdata.write(b"".join(number.to_bytes(4, env.kernel.memory.order) for number in found[2:]))
    return 0


def send_signal(env: Environment, sig: int) -> int:
    """Note a signal to the process; EPERM for tasks of the kernel and the first process, EINVAL."""
    return _signal(env, sig, thread=False)


def send_signal_thread(env: Environment, sig: int) -> int:
    """Note a signal to the thread."""
    return _signal(env, sig, thread=True)


def _signal(env: Environment, sig: int, *, thread: bool) -> int:
    task: Task = env.kernel.world.current
    if task.kernel_thread or task.tgid == INIT:
        return -Errno.EPERM
    if sig > LAST_SIGNAL:
        return -Errno.EINVAL
    if sig:
        env.kernel.world.record(Signal(env.running.name, task.pid if thread else task.tgid, sig, thread))
    return 0
