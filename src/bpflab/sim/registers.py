"""The registers of a probe's context by what they are for; how long the context is tells the architecture."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from bpflab.abi.calling import CONVENTIONS
from bpflab.abi.context import ContextField, layout

if TYPE_CHECKING:
    from bpflab.sim.memory import Region
    from bpflab.sim.test_run import Environment


@cache
def place(size: int, purpose: str) -> ContextField | None:
    """Return where registers of so many bytes have the one for a purpose: a name of `Convention` such as `result`."""
    for architecture, convention in CONVENTIONS.items():
        members = layout("pt_regs", architecture)
        if members.size == size:
            return members.field(getattr(convention, purpose))
    return None


def number(env: Environment, purpose: str) -> int:
    """Return a register, 0 where the context is that of no known architecture."""
    region = _context(env)
    found = place(len(region.data), purpose) if region is not None else None
    if region is None or found is None:
        return 0
    return int.from_bytes(region.data[found.offset : found.end], env.kernel.memory.order)


def put(env: Environment, purpose: str, value: int) -> None:
    """Change a register."""
    region = _context(env)
    found = place(len(region.data), purpose) if region is not None else None
    if region is not None and found is not None:
        kept = value & ((1 << found.size * 8) - 1)
        region.data[found.offset : found.end] = kept.to_bytes(found.size, env.kernel.memory.order)


def _context(env: Environment) -> Region | None:
    return env.kernel.memory.find(env.context)
