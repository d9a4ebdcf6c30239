"""Holds on objects of the kernel: one object may be held several times, and each hold is given back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

STATE: Final = "holds"


def hold(env: Environment, address: int, name: str) -> int:
    """Note one more hold on the object at an address, and return the address."""
    counts = _counts(env)
    if not counts[address]:
        env.run.acquire(address, name)
    counts[address] += 1
    return address


def let_go(env: Environment, address: int) -> None:
    """Note one hold less; a fault where the program has none."""
    counts = _counts(env)
    if counts[address] <= 1:
        env.run.release(address)
    counts[address] -= 1


def _counts(env: Environment) -> Counter[int]:
    return cast("Counter[int]", env.state.setdefault(STATE, Counter()))
