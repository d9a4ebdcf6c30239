"""Where a packet comes from: the cgroup and class of its socket, the realm of its route.

The socket of a test run is made by the task that asks for the run. Here that task is in the root cgroup and in no
class, and packets have no route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from bpflab.sim.maps.cgroup_array import CgroupArrayMap
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

ROOT_CGROUP_ID: Final = 1
"""The id of the root of the cgroup tree (its inode)."""


def get_cgroup_classid(env: Environment, skb: Skb | None = None) -> int:
    """Give the class of the sender: none."""
    del env, skb
    return 0


def skb_cgroup_classid(env: Environment, skb: Skb) -> int:
    """Give the class of the socket: none."""
    del env, skb
    return 0


def get_route_realm(env: Environment, skb: Skb) -> int:
    """Give the realm of the route: none."""
    del env, skb
    return 0


def skb_cgroup_id(env: Environment, skb: Skb) -> int:
    """Give the cgroup of the socket: the root."""
    del env, skb
    return ROOT_CGROUP_ID


def skb_ancestor_cgroup_id(env: Environment, skb: Skb, ancestor_level: int) -> int:
    """Give the ancestor of that cgroup at a level: itself at 0, else none."""
    del env, skb
    return 0 if ancestor_level else ROOT_CGROUP_ID


def skb_under_cgroup(env: Environment, skb: Skb, map: CgroupArrayMap, index: int) -> int:
    """Tell whether the socket is under a cgroup of the array: only under the root."""
    del env, skb
    if index >= map.max_entries:
        return -Errno.E2BIG
    cgroup = map.slots.get(index)
    return -Errno.EAGAIN if cgroup is None else int(cgroup.id == ROOT_CGROUP_ID)
