"""Options of sockets that programs may set and read, with their numbers, bounds and defaults.

From net/core/filter.c (sol_socket_sockopt, sol_tcp_sockopt, sol_ip_sockopt, sol_ipv6_sockopt), asm-generic/socket.h,
linux/tcp.h, linux/in.h and linux/in6.h. Defaults are those of a TCP socket under the kernel's own settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

INT_MAX: Final = 0x7FFF_FFFF
INT_MIN: Final = -INT_MAX - 1


class Level(IntEnum):
    """Whose option it is (SOL_*)."""

    IP = 0
    SOCKET = 1
    TCP = 6
    IPV6 = 41


class Effect(StrEnum):
    """What becomes of a number that is set."""

    KEEP = "keep"
    BOOL = "bool"
    """1 for anything but 0."""
    SEND_BUFFER = "send buffer"
    """Doubled, within what a send buffer may be."""
    RECEIVE_BUFFER = "receive buffer"
    BYTE = "byte"
    """The lowest eight bits; streams keep the two bits of ECN."""
    AT_LEAST_ONE = "at least one"
    WINDOW = "window"
    """At least half of the least receive buffer, or 0 on a closed socket."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option that is one number (`int`): what may be set, and what is read when nothing was."""

    name: str
    least: int = INT_MIN
    greatest: int = INT_MAX
    default: int = 0
    effect: Effect = Effect.KEEP
    readable: bool = True
    zero: bool = False
    """Whether 0 may be set below `least`."""


def _rows(level: Level, rows: Mapping[int, Option]) -> dict[tuple[int, int], Option]:
    return {(level, number): option for number, option in rows.items()}


LEAST_SEND_BUFFER: Final = 4608
LEAST_RECEIVE_BUFFER: Final = 2304
BUFFER_LIMIT: Final = 4_194_304
"""net.core.wmem_max and rmem_max as Linux 6.18 has them by itself; a buffer has twice as much."""
ECN_BITS: Final = 3
_BOOL: Final = Effect.BOOL

OPTIONS: Final[Mapping[tuple[int, int], Option]] = MappingProxyType(
    {
        **_rows(
            Level.SOCKET,
            {
                2: Option("SO_REUSEADDR", effect=_BOOL),
                7: Option("SO_SNDBUF", default=16384, effect=Effect.SEND_BUFFER),
                8: Option("SO_RCVBUF", default=131072, effect=Effect.RECEIVE_BUFFER),
                9: Option("SO_KEEPALIVE", effect=_BOOL),
                12: Option("SO_PRIORITY"),
                15: Option("SO_REUSEPORT", effect=_BOOL),
                18: Option("SO_RCVLOWAT", default=1, effect=Effect.AT_LEAST_ONE),
                36: Option("SO_MARK"),
                47: Option("SO_MAX_PACING_RATE", default=-1),
                62: Option("SO_BINDTOIFINDEX", least=0),
                74: Option("SO_TXREHASH", least=-1, greatest=1, default=1),
            },
        ),
        **_rows(
            Level.TCP,
            {
                1: Option("TCP_NODELAY", effect=_BOOL),
                2: Option("TCP_MAXSEG", least=88, greatest=32767, default=536, zero=True),
                4: Option("TCP_KEEPIDLE", least=1, greatest=32767, default=7200),
                5: Option("TCP_KEEPINTVL", least=1, greatest=32767, default=75),
                6: Option("TCP_KEEPCNT", least=1, greatest=127, default=9),
                7: Option("TCP_SYNCNT", least=1, greatest=127, default=6),
                10: Option("TCP_WINDOW_CLAMP", effect=Effect.WINDOW),
                16: Option("TCP_THIN_LINEAR_TIMEOUTS", least=0, greatest=1),
                18: Option("TCP_USER_TIMEOUT", least=0),
                25: Option("TCP_NOTSENT_LOWAT"),
                27: Option("TCP_SAVE_SYN", least=0, greatest=2),
                44: Option("TCP_RTO_MAX_MS", least=1000, greatest=120_000, default=120_000),
                1001: Option("TCP_BPF_IW", least=1, readable=False),
                1002: Option("TCP_BPF_SNDCWND_CLAMP", least=1, readable=False),
                1003: Option("TCP_BPF_DELACK_MAX", least=2000, greatest=200_000, default=200_000),
                1004: Option("TCP_BPF_RTO_MIN", least=2000, greatest=200_000, default=200_000),
                1008: Option("TCP_BPF_SOCK_OPS_CB_FLAGS"),
            },
        ),
        **_rows(Level.IP, {1: Option("IP_TOS", effect=Effect.BYTE)}),
        **_rows(
            Level.IPV6,
            {
                67: Option("IPV6_TCLASS", least=-1, greatest=255, effect=Effect.BYTE),
                70: Option("IPV6_AUTOFLOWLABEL", default=1, effect=_BOOL),
            },
        ),
    }
)
"""The options that are one number, by level and number."""

BIND_TO_DEVICE: Final = (Level.SOCKET, 25)
CONGESTION: Final = (Level.TCP, 13)
SAVED_SYN: Final = (Level.TCP, 28)
SYN_HEADERS: Final = MappingProxyType({1005: "tcp", 1006: "ip", 1007: "mac"})
"""Options of SOCK_OPS programs alone: the connection's SYN, from which header on (TCP_BPF_SYN*)."""
CB_FLAGS: Final = (Level.TCP, 1008)
ALL_CB_FLAGS: Final = 0x7F
"""Bits that sock_ops_cb_flags_set knows (BPF_SOCK_OPS_ALL_CB_FLAGS)."""
CONGESTION_CONTROLS: Final = ("reno", "cubic")
"""The algorithms that the simulated kernel has; the second is a socket's own."""
LONGEST_CONGESTION_NAME: Final = 16
MIRRORED: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {(Level.SOCKET, 12): "priority", (Level.SOCKET, 36): "mark", (Level.SOCKET, 62): "ifindex"}
)
"""Options that are also attributes of a simulated socket."""
