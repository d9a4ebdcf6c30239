"""Cgroups: held, given back, found by number and by level (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.holds import hold, let_go

if TYPE_CHECKING:
    from bpflab.sim.cgroups import Cgroup
    from bpflab.sim.test_run import Environment

HELD: Final = "cgroup"


def bpf_cgroup_acquire(env: Environment, cgrp: int) -> int:
    """Hold a cgroup."""
    return hold(env, int(cgroup_at(env, cgrp)), HELD)


def bpf_cgroup_release(env: Environment, cgrp: int) -> None:
    """Give a cgroup back."""
    let_go(env, cgrp)


def bpf_cgroup_from_id(env: Environment, cgid: int) -> int:
    """Find a cgroup of the world by its id."""
    return next((hold(env, int(each), HELD) for each in env.kernel.world.cgroups if each.id == cgid), 0)


def bpf_cgroup_ancestor(env: Environment, cgrp: int, level: int) -> int:
    """Give the cgroup above one at a level, the root being 0; null for a level that it does not have."""
    way = cgroup_at(env, cgrp).way
    return hold(env, int(way[level]), HELD) if 0 <= level < len(way) else 0


def cgroup_at(env: Environment, address: int) -> Cgroup:
    """Return the cgroup whose structure is at an address; a fault where there is none."""
    for each in env.kernel.world.cgroups:
        if each.laid_out is not None and each.laid_out.address == address:
            return each
    raise Fault(FaultKind.HELPER_ARGUMENT, f"there is no cgroup at {address:#x}")
