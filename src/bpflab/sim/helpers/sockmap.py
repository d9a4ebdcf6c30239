"""Sockets of maps: put in by SOCK_OPS programs, sent to by SK_SKB programs (net/core/sock_map.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.sockets import SocketProtocol
from bpflab.abi.tcp_events import SockOp
from bpflab.sim.maps.sockets import SockHash, SockMap
from bpflab.sim.sk_redirect import choose

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment

JOINING: Final = frozenset({SockOp.PASSIVE_ESTABLISHED_CB, SockOp.ACTIVE_ESTABLISHED_CB, SockOp.TCP_LISTEN_CB})
"""Events at which a socket may be put into a map."""


def sock_map_update(env: Environment, skops: FieldContext, map: SimMap, key: bytes, flags: int) -> int:
    """Put the event's socket into a SOCKMAP."""
    del env
    return _put(skops, map, key, flags)


def sock_hash_update(env: Environment, skops: FieldContext, map: SimMap, key: bytes, flags: int) -> int:
    """Put the event's socket into a SOCKHASH."""
    del env
    return _put(skops, map, key, flags)


def sk_redirect_map(env: Environment, skb: object, map: SimMap, key: int, flags: int) -> int:
    """Choose the socket of a SOCKMAP that the bytes go to."""
    del skb
    return choose(env, "sk_redirect_map", map, key.to_bytes(4, env.kernel.memory.order), flags)


def sk_redirect_hash(env: Environment, skb: object, map: SimMap, key: bytes, flags: int) -> int:
    """Choose the socket of a SOCKHASH that the bytes go to."""
    del skb
    return choose(env, "sk_redirect_hash", map, key, flags)


def _put(skops: FieldContext, target: SimMap, key: bytes, flags: int) -> int:
    sock = skops.socket
    if sock is None or skops["op"] not in JOINING or sock.protocol != SocketProtocol.TCP:
        return -Errno.EOPNOTSUPP
    if not isinstance(target, SockMap | SockHash):
        return -Errno.EOPNOTSUPP
    return target.update_socket(key, sock.cookie, flags)
