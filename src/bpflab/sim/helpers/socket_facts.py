"""What names a socket: its cookie, its user, its network namespace (net/core/filter.c, net/core/sock_diag.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.sockets import OVERFLOW_UID
from bpflab.sim.helpers.sockets import full, socket_of
from bpflab.sim.origin import socket_behind

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment


def get_socket_cookie(env: Environment, ctx: object) -> int:
    """Give the cookie of the context's socket, or of the socket given; 0 where there is none."""
    found = socket_of(env, ctx) if isinstance(ctx, int) else socket_behind(env)
    return 0 if found is None else found.cookie


def get_socket_uid(env: Environment, skb: Skb) -> int:
    """Give the user of the packet's full socket; the overflow user where there is none."""
    del skb
    found = socket_behind(env)
    owner = None if found is None else full(found)
    return OVERFLOW_UID if owner is None else owner.uid


def get_netns_cookie(env: Environment, ctx: object) -> int:
    """Give the cookie of the machine's namespace; of the first one, which is the same here, for a null pointer."""
    found = None if ctx is None else socket_behind(env)
    if found is not None and found.netns is not None:
        return env.kernel.world.netns_cookie + 1 + found.netns
    return env.kernel.world.netns_cookie
