"""Pointers to kernel objects kept in map values (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.holds import hold, let_go
from bpflab.sim.own_objects import OwnObject

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

HELD: Final = "object out of a map"


def kptr_xchg(env: Environment, dst: int, ptr: int | None) -> int:
    """Put an object, or null, into a map's value, and give what was there."""
    memory = env.run.memory
    before = memory.load(dst, 8)
    memory.store(dst, 8, ptr or 0)
    if ptr and not _is_own(env, ptr):
        let_go(env, ptr)
    return hold(env, before, HELD) if before and not _is_own(env, before) else before


def _is_own(env: Environment, address: int) -> bool:
    region = env.run.memory.find(address)
    return region is not None and isinstance(region.owner, OwnObject)
