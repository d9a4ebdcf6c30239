"""Resilient spin locks: a deadlock is an error, not a machine that hangs (kernel/bpf/rqspinlock.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.kfuncs.sections import ENABLED

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

HELD: Final = "resilient spin lock"
SIZE: Final = 4


def bpf_res_spin_lock(env: Environment, lock: int) -> int:
    """Take a lock: EDEADLK if this run has it, or has what others wait for; ETIMEDOUT if it is never given back."""
    if lock in env.run.references:
        return -Errno.EDEADLK
    _wait(env, lock)
    if env.run.memory.load(lock, SIZE):
        return -Errno.EDEADLK if HELD in env.run.references.values() else -Errno.ETIMEDOUT
    env.run.memory.store(lock, SIZE, 1)
    env.run.acquire(lock, HELD)
    return 0


def bpf_res_spin_unlock(env: Environment, lock: int) -> None:
    """Give a lock back."""
    env.run.release(lock)
    env.run.memory.store(lock, SIZE, 0)


def bpf_res_spin_lock_irqsave(env: Environment, lock: int, flags: int) -> int:
    """Take a lock, and keep the state of interrupts on the stack."""
    result = bpf_res_spin_lock(env, lock)
    if not result:
        env.run.memory.store(flags, 8, ENABLED)
    return result


def bpf_res_spin_unlock_irqrestore(env: Environment, lock: int, flags: int) -> None:
    """Give a lock back, and take the state of interrupts from the stack."""
    bpf_res_spin_unlock(env, lock)
    env.run.memory.load(flags, 8)


def _wait(env: Environment, lock: int) -> None:
    """Let the other CPUs go on until the lock is free, or all of them wait, too."""
    memory, race = env.run.memory, env.kernel.interleaving
    if race is not None:
        others = race.others
        race.wait_until(lambda: not memory.load(lock, SIZE) or race.waiting >= others(), f"the lock at {lock:#x}")
