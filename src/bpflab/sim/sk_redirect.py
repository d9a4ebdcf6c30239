"""Bytes that programs send to another socket of a map, by the verdict SK.PASS (net/core/sock_map.c)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.sockets import SocketProtocol, SocketState
from bpflab.abi.verdicts import SK
from bpflab.sim.events import SocketRedirect
from bpflab.sim.maps.sockets import SocketMap

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.sockets import Socket
    from bpflab.sim.test_run import Environment

INGRESS: Final = 1
"""BPF_F_INGRESS: the other socket receives the bytes."""
CHOSEN: Final = "socket redirect"


def choose(env: Environment, helper: str, target: SimMap, key: bytes, flags: int) -> int:
    """Choose the socket at a key; SK.DROP for unknown flags, an empty key, and a socket that cannot take them."""
    env.state.pop(CHOSEN, None)
    cookie = target.cookies.get(key) if isinstance(target, SocketMap) else None
    if flags & ~INGRESS or cookie is None:
        return SK.DROP
    found = next((sock for sock in env.kernel.world.sockets if sock.cookie == cookie), None)
    if not _can_take(found, ingress=bool(flags & INGRESS)):
        return SK.DROP
    env.state[CHOSEN] = SocketRedirect(
        program=env.running.name,
        helper=helper,
        map=target.name,
        key=key,
        cookie=cookie,
        ingress=bool(flags & INGRESS),
        data=b"",
        socket=found,
    )
    return SK.PASS


def note_redirect(env: Environment, data: bytes, *, passed: bool) -> None:
    """Note the redirect that was chosen, with the bytes as they are now, if the verdict passes them."""
    chosen = env.state.pop(CHOSEN, None)
    if passed and isinstance(chosen, SocketRedirect):
        env.kernel.world.record(replace(chosen, data=data))


def _can_take(found: Socket | None, *, ingress: bool) -> bool:
    """Tell whether a socket takes redirected bytes; sockets of the process, of which little is known, do."""
    if found is None:
        return True
    if found.protocol == SocketProtocol.TCP:
        return found.state != SocketState.LISTEN
    return ingress and found.state == SocketState.ESTABLISHED
