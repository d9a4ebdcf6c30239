"""One socket seen as another kind: the full socket, its TCP part, the kernel's own structures (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.sockets import Family, SocketProtocol, SocketState, SocketType
from bpflab.sim.helpers.sockets import full, socket_of
from bpflab.sim.socket_structs import struct_of

if TYPE_CHECKING:
    from bpflab.sim.sockets import Socket
    from bpflab.sim.test_run import Environment

TCP: Final = frozenset({SocketProtocol.TCP})


def sk_fullsock(env: Environment, sk: int) -> int:
    """Give the socket itself if it is a full one."""
    found = socket_of(env, sk)
    return found.address if found.is_full else 0


def get_listener_sock(env: Environment, sk: int) -> int:
    """Give the listener: the socket itself, or the one that a request came to."""
    found = full(socket_of(env, sk))
    return found.address if found is not None and found.state == SocketState.LISTEN else 0


def tcp_sock(env: Environment, sk: int) -> int:
    """Give the TCP part of a full socket."""
    found = socket_of(env, sk)
    return found.tcp_address(env.kernel.memory) if found.is_full and found.protocol in TCP else 0


def skc_to_tcp_sock(env: Environment, sk: int) -> int:
    """Cast to `struct tcp_sock`."""
    found = socket_of(env, sk)
    return _cast(env, found, "tcp_sock", fits=found.is_full and found.protocol == SocketProtocol.TCP)


def skc_to_tcp6_sock(env: Environment, sk: int) -> int:
    """Cast to `struct tcp6_sock`."""
    found = socket_of(env, sk)
    fits = found.is_full and found.protocol == SocketProtocol.TCP and found.family == Family.INET6
    return _cast(env, found, "tcp6_sock", fits=fits)


def skc_to_tcp_timewait_sock(env: Environment, sk: int) -> int:
    """Cast to `struct tcp_timewait_sock`."""
    found = socket_of(env, sk)
    fits = found.protocol == SocketProtocol.TCP and found.state == SocketState.TIME_WAIT
    return _cast(env, found, "tcp_timewait_sock", fits=fits)


def skc_to_tcp_request_sock(env: Environment, sk: int) -> int:
    """Cast to `struct tcp_request_sock`."""
    found = socket_of(env, sk)
    fits = found.protocol == SocketProtocol.TCP and found.state == SocketState.NEW_SYN_RECV
    return _cast(env, found, "tcp_request_sock", fits=fits)


def skc_to_udp6_sock(env: Environment, sk: int) -> int:
    """Cast to `struct udp6_sock`."""
    found = socket_of(env, sk)
    datagrams = found.protocol == SocketProtocol.UDP and found.type == SocketType.DGRAM
    return _cast(env, found, "udp6_sock", fits=datagrams and found.family == Family.INET6)


def skc_to_unix_sock(env: Environment, sk: int) -> int:
    """Cast to `struct unix_sock`."""
    found = socket_of(env, sk)
    return _cast(env, found, "unix_sock", fits=found.family == Family.UNIX)


def skc_to_mptcp_sock(env: Environment, sk: int) -> int:
    """Give the `struct mptcp_sock` that a subflow belongs to, or that this is."""
    found = socket_of(env, sk)
    return _cast(env, found, "mptcp_sock", fits=found.protocol == SocketProtocol.MPTCP)


def _cast(env: Environment, found: Socket, name: str, *, fits: bool) -> int:
    return struct_of(env.kernel.world, found, name) if fits else 0
