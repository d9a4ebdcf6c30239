"""Sockets: the simulated world has none, so no lookup finds one (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

LOOKUP_FLAGS: Final = 0b11
"""What sk_assign of a SK_LOOKUP program takes: BPF_SK_LOOKUP_F_REPLACE and BPF_SK_LOOKUP_F_NO_REUSEPORT."""


def sk_lookup_tcp(env: Environment, *arguments: object) -> int:
    """Find no socket."""
    del env, arguments
    return 0


def sk_lookup_udp(env: Environment, *arguments: object) -> int:
    """Find no socket."""
    del env, arguments
    return 0


def skc_lookup_tcp(env: Environment, *arguments: object) -> int:
    """Find no socket."""
    del env, arguments
    return 0


def sk_release(env: Environment, sock: int) -> int:
    """Give a socket back; a fault for what this program does not hold, and it never holds one."""
    env.run.release(sock)
    return 0


def sk_assign(env: Environment, ctx: object, sk: int | None, flags: int) -> int:
    """Choose no socket: a SK_LOOKUP program may, by a null pointer."""
    del env, ctx, sk
    return -Errno.EINVAL if flags & ~LOOKUP_FLAGS else 0
