"""Spin locks in map values: taken and given back within one program (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

NAME = "spin lock"


def spin_lock(env: Environment, lock: int) -> int:
    """Take a lock; taking a second one, or one that another CPU's run holds for ever, is a fault."""
    memory, race = env.run.memory, env.kernel.interleaving
    if NAME in env.run.references.values():
        raise Fault(FaultKind.HELPER_ARGUMENT, f"the spin lock at {lock:#x} is taken while another one is held")
    if race is not None:
        race.wait_until(lambda: not memory.load(lock, 4), f"the spin lock at {lock:#x}")
    memory.store(lock, 4, 1)
    env.run.acquire(lock, NAME)
    return 0


def spin_unlock(env: Environment, lock: int) -> int:
    """Give the lock back; giving back one that is not held is a fault."""
    env.run.release(lock)
    env.run.memory.store(lock, 4, 0)
    return 0
