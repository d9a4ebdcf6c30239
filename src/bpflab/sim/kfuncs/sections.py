"""Sections that the simulated kernel has no need of, as nothing interrupts a program: the check holds their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

ENABLED: Final = 0x200
"""The flag of x86_64 that interrupts are enabled; what is saved means nothing to a program."""


def bpf_rcu_read_lock(env: Environment) -> None:
    """Enter an RCU read section."""
    del env


def bpf_rcu_read_unlock(env: Environment) -> None:
    """Leave it."""
    del env


def bpf_preempt_disable(env: Environment) -> None:
    """Stay on this CPU."""
    del env


def bpf_preempt_enable(env: Environment) -> None:
    """May be preempted again."""
    del env


def bpf_local_irq_save(env: Environment, flags: int) -> None:
    """Keep the state of interrupts in eight bytes of the stack."""
    env.run.memory.store(flags, 8, ENABLED)


def bpf_local_irq_restore(env: Environment, flags: int) -> None:
    """Take it from there."""
    env.run.memory.load(flags, 8)
