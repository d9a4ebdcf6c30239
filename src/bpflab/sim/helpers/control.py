"""Helpers that steer the program itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.maps.prog_array import ProgArrayMap

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment

MAX_LOOPS: Final = 1 << 23
"""BPF_MAX_LOOPS (linux/bpf.h in the kernel)."""


def tail_call(env: Environment, ctx: object, prog_array_map: SimMap, index: int) -> int:
    """Go on in another program; falls through when the slot is empty or too many calls were made."""
    del ctx
    target = prog_array_map.program_at(index) if isinstance(prog_array_map, ProgArrayMap) else None
    if target is not None:
        previous, env.running = env.running, target
        if not env.run.tail_call(target.engine):
            env.running = previous
    return 0


def loop(env: Environment, nr_loops: int, callback_fn: int, callback_ctx: int | None, flags: int) -> int:
    """Call back with (index, context) up to `nr_loops` times, until one call answers 1."""
    if flags:
        return -Errno.EINVAL
    if nr_loops > MAX_LOOPS:
        return -Errno.E2BIG
    for index in range(nr_loops):
        if env.run.call(callback_fn, index, callback_ctx or 0):
            return index + 1
    return nr_loops
