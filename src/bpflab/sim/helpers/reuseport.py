"""Choosing among sockets that share a port (sk_select_reuseport in net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.sockets import SocketMap

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.sockets import Socket
    from bpflab.sim.test_run import Environment


def sk_select_reuseport(env: Environment, reuse: FieldContext, map: SimMap, key: bytes, flags: int) -> int:
    """Choose the socket at a key of the map; it must be of the group that the packet is for."""
    del env, flags
    chosen = map.socket_at(key) if isinstance(map, SocketMap) else None
    if chosen is None:
        return -Errno.ENOENT
    if not chosen.reuseport:
        return -Errno.ENOENT if map.type == MapType.REUSEPORT_SOCKARRAY else -Errno.EINVAL
    if (refused := _other_group(reuse.socket, chosen)) is not None:
        return -refused
    reuse.about = chosen
    return 0


def _other_group(first: Socket | None, chosen: Socket) -> Errno | None:
    """Return the errno for a socket of another group than the one found first; a group of the run takes all."""
    if first is None or not first.local[1]:
        return None
    if first.protocol != chosen.protocol:
        return Errno.EPROTOTYPE
    if first.family != chosen.family:
        return Errno.EAFNOSUPPORT
    return None if first.local == chosen.local else Errno.EBADFD
