"""Sockets of the process itself, of which a map was given a descriptor: seen by programs as they were then."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from bpflab.abi.sockets import SocketState
from bpflab.sim.sockets import Socket, make_socket

if TYPE_CHECKING:
    from bpflab.sim.world import World

INTERNET = (socket.AF_INET, socket.AF_INET6)


def find_socket(world: World, cookie: int) -> Socket | None:
    """Return the socket of a cookie: one of the world's, or one of the process."""
    own = next((each for each in world.sockets if each.cookie == cookie), None)
    return world.process_sockets.get(cookie) if own is None else own


def mirror(world: World, fd: int, cookie: int) -> None:
    """Lay out a socket like the one behind a descriptor."""
    with socket.socket(fileno=os.dup(fd)) as real:
        made = _like(real)
    made.cookie = cookie
    made.place(world.memory, world.memory.order)
    world.process_sockets[cookie] = made


def _like(real: socket.socket) -> Socket:
    protocol = "udp" if real.type == socket.SOCK_DGRAM else "tcp"
    if real.family not in INTERNET:
        return make_socket("unix")
    local, remote = real.getsockname()[:2], _remote(real)
    made = make_socket(protocol, local, remote, _state(real, remote))
    made.reuseport = bool(real.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
    if real.family == socket.AF_INET6:
        made.v6only = bool(real.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    return made


def _remote(real: socket.socket) -> tuple[str, int] | None:
    try:
        address, port = real.getpeername()[:2]
    except OSError:
        return None
    return address, port


def _state(real: socket.socket, remote: object) -> SocketState:
    if remote is not None:
        return SocketState.ESTABLISHED
    try:
        listens = real.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        listens = 0
    return SocketState.LISTEN if listens else SocketState.CLOSE
