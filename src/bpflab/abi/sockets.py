"""Numbers of sockets: families, protocols, states (linux/socket.h, linux/in.h, linux/bpf.h, net/tcp_states.h)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Family(IntEnum):
    """Address families of sockets (AF_*)."""

    UNIX = 1
    INET = 2
    INET6 = 10


class SocketProtocol(IntEnum):
    """Protocols that sockets are made for (IPPROTO_*)."""

    TCP = 6
    UDP = 17
    MPTCP = 262


class SocketType(IntEnum):
    """Types of sockets (SOCK_*)."""

    STREAM = 1
    DGRAM = 2


class SocketState(IntEnum):
    """States of sockets (BPF_TCP_* of linux/bpf.h); those of other protocols are ESTABLISHED and CLOSE alone."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECV = 12


NOT_FULL: Final = frozenset({SocketState.TIME_WAIT, SocketState.NEW_SYN_RECV})
"""States of sockets that are less than a `struct sock` (sk_fullsock of net/sock.h)."""
NO_QUEUE: Final = -1
"""rx_queue_mapping of a socket that took no packet from a queue yet."""
OVERFLOW_UID: Final = 65534
"""The user that a socket without a full socket behind it belongs to (overflowuid)."""
IPV4_TUPLE_SIZE: Final = 12
IPV6_TUPLE_SIZE: Final = 36
"""Sizes of the two forms of `struct bpf_sock_tuple`."""
