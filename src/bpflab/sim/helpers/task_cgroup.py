"""The cgroup of the current task (kernel/bpf/helpers.c, kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.cgroups import ROOT_ID
from bpflab.sim.targets import SimCgroup

if TYPE_CHECKING:
    from bpflab.sim.cgroups import Cgroup
    from bpflab.sim.maps.cgroup_array import CgroupArrayMap
    from bpflab.sim.test_run import Environment


def get_current_cgroup_id(env: Environment) -> int:
    """Give its id."""
    return _cgroup(env).id


def get_current_ancestor_cgroup_id(env: Environment, ancestor_level: int) -> int:
    """Give the id of the one at a level above it, or of itself at its own; 0 where there is none."""
    way = _cgroup(env).way
    return way[ancestor_level].id if 0 <= ancestor_level < len(way) else 0


def current_task_under_cgroup(env: Environment, map: CgroupArrayMap, index: int) -> int:
    """Give 1 when the task is in a cgroup of the map or below it; E2BIG, EAGAIN for an empty slot."""
    if index >= map.max_entries:
        return -Errno.E2BIG
    wanted = map.slots.get(index)
    if not isinstance(wanted, SimCgroup):
        return -Errno.EAGAIN
    return int(any(each.identity == wanted.identity or each.id == wanted.id == ROOT_ID for each in _cgroup(env).way))


def _cgroup(env: Environment) -> Cgroup:
    world = env.kernel.world
    return world.current.cgroup or world.root_cgroup
