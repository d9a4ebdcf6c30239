"""The machine that a program runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def get_smp_processor_id(env: Environment) -> int:
    """Give the CPU that the test chose."""
    return env.run.cpu


def get_numa_node_id(env: Environment) -> int:
    """Give the only node there is."""
    del env
    return 0


def get_prandom_u32(env: Environment) -> int:
    """Give the next number of the seeded sequence."""
    return env.kernel.random.u32()
