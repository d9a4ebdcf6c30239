"""Which socket a packet belongs to: net/ipv4/inet_hashtables.c, net/ipv6/inet6_hashtables.c, net/ipv4/udp.c.

Connections come before listeners. Of listeners the best score wins: first those of the address, then those of any.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.abi.sockets import IPV4_TUPLE_SIZE, IPV6_TUPLE_SIZE, Family, SocketProtocol, SocketState
from bpflab.sim.maps.jhash import jhash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bpflab.sim.sockets import Address, Socket

Score: TypeAlias = "Callable[[Socket, Flow], int]"
NO_MATCH: Final = -1
_TCP: Final = frozenset({SocketProtocol.TCP, SocketProtocol.MPTCP})


@dataclass(frozen=True, slots=True)
class Flow:
    """What is looked up: the packet's two ends, the interface it came by, the network namespace (None: the own)."""

    source: tuple[Address, int]
    destination: tuple[Address, int]
    ifindex: int = 0
    netns: int | None = None


def read_tuple(raw: bytes, ifindex: int, netns: int | None) -> Flow | None:
    """Read a `struct bpf_sock_tuple`; None for a size that is no tuple's."""
    sizes = {IPV4_TUPLE_SIZE: 4, IPV6_TUPLE_SIZE: 16}
    if len(raw) not in sizes:
        return None
    width = sizes[len(raw)]
    make = ipaddress.IPv4Address if width == 4 else ipaddress.IPv6Address
    source, destination = make(raw[:width]), make(raw[width : 2 * width])
    ports = struct.unpack("!2H", raw[2 * width :])
    return Flow((source, ports[0]), (destination, ports[1]), ifindex, netns)


def find_tcp(sockets: Sequence[Socket], flow: Flow) -> Socket | None:
    """Return the TCP socket of a flow: a connection, a request or one in TIME_WAIT, else a listener."""
    there = [each for each in sockets if each.protocol in _TCP and each.netns == flow.netns]
    connected = (each for each in there if each.state not in {SocketState.LISTEN, SocketState.CLOSE})
    found = next((each for each in connected if _is_of(each, flow)), None)
    listening = [each for each in there if each.state == SocketState.LISTEN]
    return found or _best_of(listening, flow, _score_tcp)


def find_udp(sockets: Sequence[Socket], flow: Flow) -> Socket | None:
    """Return the UDP socket of a flow, the more it is bound to the better."""
    there = [each for each in sockets if each.protocol == SocketProtocol.UDP and each.netns == flow.netns]
    return _best_of(there, flow, _score_udp)


def _is_of(sock: Socket, flow: Flow) -> bool:
    """Whether a connection is exactly this flow's (inet_match)."""
    ends = _ends(sock, flow)
    same = ends == (flow.destination[0], flow.source[0])
    ports = (sock.local[1], sock.remote[1]) == (flow.destination[1], flow.source[1])
    return same and ports and sock.ifindex in {0, flow.ifindex}


def _ends(sock: Socket, flow: Flow) -> tuple[Address | None, Address | None]:
    see = sock.ipv4 if flow.destination[0].version == 4 else sock.ipv6
    return see(sock.local[0]), see(sock.remote[0])


def _best_of(sockets: Iterable[Socket], flow: Flow, score: Score) -> Socket | None:
    """Look among the sockets of the address, then among those of any address."""
    destination = flow.destination[0]
    nowhere = type(destination)(0)
    for address in (destination, nowhere):
        fits = [each for each in sockets if _ends(each, flow)[0] == address and each.local[1] == flow.destination[1]]
        scored = [(score(each, flow), each) for each in fits]
        best = max((points for points, _ in scored), default=NO_MATCH)
        if best > NO_MATCH:
            return _one_of([each for points, each in scored if points == best], flow)
    return None


def _one_of(best: list[Socket], flow: Flow) -> Socket:
    """Return the newest; where sockets share the port, one of them by a hash of the flow."""
    group = [each for each in best if each.reuseport]
    return group[flow_hash(flow) * len(group) >> 32] if group and best[-1].reuseport else best[-1]


def flow_hash(flow: Flow) -> int:
    """Hash a flow, as a packet's hash is where a group of sockets is asked for one (the kernel's has a secret)."""
    (source, sport), (destination, dport) = flow.source, flow.destination
    return jhash(source.packed + destination.packed + struct.pack("!2H", sport, dport), 0, "big")


def _score_tcp(sock: Socket, flow: Flow) -> int:
    if sock.ifindex not in {0, flow.ifindex}:
        return NO_MATCH
    return (2 if sock.ifindex else 1) + (sock.family == Family.INET)


def _score_udp(sock: Socket, flow: Flow) -> int:
    (source, port), remote = flow.source, _ends(sock, flow)[1]
    nowhere, wide = type(source)(0), source.version == 4
    if (remote not in {nowhere, source}) or sock.remote[1] not in {0, port} or sock.ifindex not in {0, flow.ifindex}:
        return NO_MATCH
    bound = (remote != nowhere) + bool(sock.remote[1]) + bool(sock.ifindex)
    return bound * 4 + (2 if sock.family == Family.INET else 1) if wide else bound
