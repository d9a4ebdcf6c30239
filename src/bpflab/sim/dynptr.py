"""Dynptrs: 16 bytes of the stack that stand for a piece of memory whose length is known at run time.

A program cannot look inside. Here the first eight bytes hold a number by which the run finds what the dynptr
stands for, as long as the bytes are where they were written (kernel/bpf/helpers.c, struct bpf_dynptr_kern).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

SIZE: Final = 16
MAX_BYTES: Final = (1 << 24) - 1
"""The size of a dynptr has 24 bits (DYNPTR_MAX_SIZE)."""
STATE: Final = "dynptrs"


@dataclass(slots=True)
class Dynptr:
    """Memory at `address`, `size` bytes; address 0 for one that stands for nothing."""

    address: int = 0
    size: int = 0
    writable: bool = True

    def holds(self, offset: int, size: int) -> bool:
        """Whether so many bytes are there from an offset on."""
        return size <= self.size and offset <= self.size - size


def put(env: Environment, place: int, made: Dynptr) -> None:
    """Write a dynptr to its place on the stack."""
    table = _table(env)
    number = len(table) + 1
    table[number] = made
    memory = env.run.memory
    memory.write(place, number.to_bytes(8, memory.order) + bytes(SIZE - 8))


def clear(env: Environment, place: int) -> None:
    """Make a dynptr stand for nothing."""
    put(env, place, Dynptr())


def at(env: Environment, place: int) -> Dynptr:
    """Return the dynptr at a place; a fault where there is none."""
    found = _table(env).get(env.run.memory.load(place, 8))
    if found is None:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"there is no dynptr at {place:#x}")
    return found


def _table(env: Environment) -> dict[int, Dynptr]:
    return cast("dict[int, Dynptr]", env.state.setdefault(STATE, {}))
