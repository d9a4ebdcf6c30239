"""Choosing the socket that a packet or connection goes to (bpf_sk_assign of net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.sockets import Family, SocketState
from bpflab.sim.events import SocketChosen
from bpflab.sim.helpers.sockets import socket_of
from bpflab.sim.skb import Skb
from bpflab.sim.socket_choice import Choice

if TYPE_CHECKING:
    from bpflab.sim.sockets import Socket
    from bpflab.sim.test_run import Environment

REPLACE, NO_REUSEPORT = 1, 2
"""BPF_SK_LOOKUP_F_REPLACE and BPF_SK_LOOKUP_F_NO_REUSEPORT of linux/bpf.h."""
ALL: Final = REPLACE | NO_REUSEPORT


def sk_assign(env: Environment, ctx: object, sk: int | None, flags: int) -> int:
    """Choose a socket for the packet at tc ingress, or for the connection that is looked up."""
    chosen = socket_of(env, sk) if sk else None
    if isinstance(ctx, Skb):
        return _to_packet(env, ctx, chosen, flags)
    return _to_lookup(env, chosen, flags)


def _to_packet(env: Environment, skb: Skb, chosen: Socket | None, flags: int) -> int:
    if chosen is None or flags:
        return -Errno.EINVAL
    if not env.kernel.world.at_ingress:
        return -Errno.EOPNOTSUPP
    if chosen.netns is not None:
        return -Errno.ENETUNREACH
    if chosen.state == SocketState.CLOSE and not chosen.local[1]:
        return -Errno.EOPNOTSUPP
    skb.context["sk"] = chosen.address
    env.kernel.world.record(SocketChosen(env.running.name, "sk_assign", chosen.cookie, skb.content))
    return 0


def _to_lookup(env: Environment, chosen: Socket | None, flags: int) -> int:
    choice = env.frame
    if flags & ~ALL:
        return -Errno.EINVAL
    assert isinstance(choice, Choice)
    if chosen is not None and (refused := _unfit(choice, chosen)):
        return -refused
    if choice.socket is not None and not flags & REPLACE:
        return -Errno.EEXIST
    choice.socket, choice.whole_group = chosen, not flags & NO_REUSEPORT
    return 0


def _unfit(choice: Choice, chosen: Socket) -> int:
    """Return the errno for a socket that the connection cannot go to, 0 for one that it can."""
    if chosen.state == SocketState.ESTABLISHED or (chosen.state == SocketState.CLOSE and not chosen.local[1]):
        return Errno.ESOCKTNOSUPPORT
    if chosen.protocol != choice.protocol:
        return Errno.EPROTOTYPE
    other = chosen.family != choice.family and (chosen.family == Family.INET or chosen.v6only)
    return Errno.EAFNOSUPPORT if other else 0
