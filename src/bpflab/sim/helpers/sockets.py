"""Finding sockets of the simulated world, and giving them back (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.sockets import SocketState
from bpflab.sim import socket_lookup
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.frame import XdpFrame
from bpflab.sim.skb import Skb
from bpflab.sim.sockets import Socket, socket_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.sim.test_run import Environment

    Find = Callable[[Sequence[Socket], socket_lookup.Flow], Socket | None]

NAMESPACES: Final = 1 << 31
"""Numbers of network namespaces are less."""


def sk_lookup_tcp(env: Environment, ctx: object, tuple: bytes, tuple_size: int, netns: int, flags: int) -> int:
    """Find a TCP socket; of a connection request its listener, none for one in TIME_WAIT."""
    del tuple_size
    found = _lookup(env, ctx, tuple, netns, flags, socket_lookup.find_tcp)
    return _held(env, None if found is None else full(found))


def sk_lookup_udp(env: Environment, ctx: object, tuple: bytes, tuple_size: int, netns: int, flags: int) -> int:
    """Find a UDP socket."""
    del tuple_size
    return _held(env, _lookup(env, ctx, tuple, netns, flags, socket_lookup.find_udp))


def skc_lookup_tcp(env: Environment, ctx: object, tuple: bytes, tuple_size: int, netns: int, flags: int) -> int:
    """Find a TCP socket of any state."""
    del tuple_size
    return _held(env, _lookup(env, ctx, tuple, netns, flags, socket_lookup.find_tcp))


def sk_release(env: Environment, sock: int) -> int:
    """Give a socket back, by whatever pointer means it; a fault for what this program does not hold."""
    env.run.release(socket_of(env, sock).address)
    return 0


def socket_of(env: Environment, address: int) -> Socket:
    """Return the socket that a pointer means; a fault if it is none."""
    found = socket_at(env.kernel.memory, address)
    if found is None:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"{address:#x} is not the address of a socket")
    return found


def full(sock: Socket) -> Socket | None:
    """Return the full socket of one: itself, the listener of a request; None for what has neither (sk_to_full_sk)."""
    if sock.state == SocketState.NEW_SYN_RECV:
        return sock.listener
    return sock if sock.is_full else None


def interface_of(frame: object) -> int:
    """Return the interface that a packet came by, 0 where there is no packet."""
    if isinstance(frame, Skb):
        return frame.context["ifindex"]
    return frame.ifindex if isinstance(frame, XdpFrame) else 0


def _lookup(env: Environment, ctx: object, raw: bytes, netns: int, flags: int, find: Find) -> Socket | None:
    number = netns & 0xFFFFFFFF
    own = number >= NAMESPACES
    if flags or not (own or netns < NAMESPACES):
        return None
    flow = socket_lookup.read_tuple(raw, interface_of(ctx), None if own else number)
    return None if flow is None else find(env.kernel.world.sockets, flow)


def _held(env: Environment, found: Socket | None) -> int:
    if found is None:
        return 0
    env.run.acquire(found.address, "socket")
    return found.address
