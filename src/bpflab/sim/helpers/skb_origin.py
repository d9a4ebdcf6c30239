"""Where a packet comes from: the cgroup and class of its socket, the realm of its route, what IPsec did to it.

The socket of a test run is made by the task that asks for the run, here one in the root cgroup and in no class. A test
gives another by `world.packet_socket`, and the rest by `world.route_realm` and `world.xfrm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim import xfrm
from bpflab.sim.helpers.sockets import full, socket_of
from bpflab.sim.origin import socket_behind

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.cgroups import Cgroup
    from bpflab.sim.maps.cgroup_array import CgroupArrayMap
    from bpflab.sim.skb import Skb
    from bpflab.sim.sockets import Socket
    from bpflab.sim.test_run import Environment


def get_cgroup_classid(env: Environment, skb: Skb | None = None) -> int:
    """Give the class of the sender: that of the packet's socket, none where there is no packet."""
    return 0 if skb is None else skb_cgroup_classid(env, skb)


def skb_cgroup_classid(env: Environment, skb: Skb) -> int:
    """Give the class of the packet's full socket."""
    del skb
    found = _full(socket_behind(env))
    return 0 if found is None else found.classid


def get_route_realm(env: Environment, skb: Skb) -> int:
    """Give the realm of the packet's route."""
    del skb
    return env.kernel.world.route_realm


def skb_cgroup_id(env: Environment, skb: Skb) -> int:
    """Give the cgroup of the packet's full socket."""
    del skb
    return _id(env, socket_behind(env))


def skb_ancestor_cgroup_id(env: Environment, skb: Skb, ancestor_level: int) -> int:
    """Give the ancestor of that cgroup at a level, itself at its own."""
    del skb
    return _ancestor(env, socket_behind(env), ancestor_level)


def sk_cgroup_id(env: Environment, sk: int) -> int:
    """Give the cgroup of a socket."""
    return _id(env, socket_of(env, sk))


def sk_ancestor_cgroup_id(env: Environment, sk: int, ancestor_level: int) -> int:
    """Give the ancestor of a socket's cgroup at a level."""
    return _ancestor(env, socket_of(env, sk), ancestor_level)


def skb_under_cgroup(env: Environment, skb: Skb, map: CgroupArrayMap, index: int) -> int:
    """Tell whether the packet's full socket is under a cgroup of the array."""
    del skb
    found = _full(socket_behind(env))
    if found is None:
        return -Errno.ENOENT
    if index >= map.max_entries:
        return -Errno.E2BIG
    wanted = map.slots.get(index)
    if wanted is None:
        return -Errno.EAGAIN
    way = _cgroup(env, found).way
    identity = getattr(wanted, "identity", None)
    return int(any((each.identity is not None and each.identity == identity) or each.id == wanted.id for each in way))


def skb_get_xfrm_state(env: Environment, skb: Skb, index: int, xfrm_state: Buffer, size: int, flags: int) -> int:
    """Copy one of the states of IPsec that the packet went through; zeros where there is none."""
    states = env.kernel.world.xfrm
    if flags or index >= len(states) or size != xfrm.SIZE:
        xfrm_state.fill(b"")
        return -Errno.EINVAL
    xfrm_state.fill(states[index].to_bytes(skb.order))
    return 0


def _full(sock: Socket | None) -> Socket | None:
    return None if sock is None else full(sock)


def _cgroup(env: Environment, sock: Socket) -> Cgroup:
    return sock.cgroup or env.kernel.world.root_cgroup


def _id(env: Environment, sock: Socket | None) -> int:
    found = _full(sock)
    return 0 if found is None else _cgroup(env, found).id


def _ancestor(env: Environment, sock: Socket | None, level: int) -> int:
    found = _full(sock)
    way = () if found is None else _cgroup(env, found).way
    return way[level].id if 0 <= level < len(way) else 0
