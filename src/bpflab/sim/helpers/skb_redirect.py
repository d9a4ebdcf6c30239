"""Socket buffers sent elsewhere: at once as a copy, or by the verdict REDIRECT (see `redirect`)."""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.helper_flags import RedirectFlag
from bpflab.abi.verdicts import TC
from bpflab.sim.events import Clone, Redirect

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

AF_INET, AF_INET6 = 2, 10
NEXT_HOP_SIZE: Final = 20
"""Bytes of `struct bpf_redir_neigh`: an address family, and an address of up to 16 bytes."""
INGRESS: Final = int(RedirectFlag.INGRESS)
NET_RX_DROP: Final = 1
"""What a device answers that does not take a packet in (linux/netdevice.h)."""


def redirect_neigh(env: Environment, ifindex: int, params: bytes | None, plen: int, flags: int) -> int:
    """Choose the device that the packet leaves by, through the neighbour in `params` or the one that routes give."""
    if flags or 0 < plen < NEXT_HOP_SIZE:
        return TC.SHOT
    return _choose(env, Redirect(env.running.name, "redirect_neigh", ifindex, next_hop=next_hop(env, params or b"")))


def redirect_peer(env: Environment, ifindex: int, flags: int) -> int:
    """Choose the device whose other end the packet enters by."""
    return TC.SHOT if flags else _choose(env, Redirect(env.running.name, "redirect_peer", ifindex))


def clone_redirect(env: Environment, skb: Skb, ifindex: int, flags: int) -> int:
    """Send a copy by a device, or into it."""
    if flags & ~INGRESS:
        return -Errno.EINVAL
    if skb.is_gso and not skb.dodgy:
        return -Errno.EBADMSG
    interface = env.kernel.world.interfaces.get(ifindex)
    if interface is None:
        return -Errno.EINVAL
    answer = 0
    if skb.mac_header >= skb.network_header or not skb.length:
        answer = -Errno.ERANGE
    elif not interface.up:
        answer = NET_RX_DROP if flags & INGRESS else -Errno.ENETDOWN
    else:
        env.kernel.world.record(Clone(env.running.name, ifindex, flags, skb.content))
    skb.refresh()
    return answer


def next_hop(env: Environment, params: bytes) -> str:
    """Read the address in `struct bpf_redir_neigh`; empty when none is given or its family is unknown."""
    if not params:
        return ""
    family = struct.unpack_from("<I" if env.kernel.memory.order == "little" else ">I", params)[0]
    address = params[4:]
    if family == AF_INET:
        return str(ipaddress.IPv4Address(address[:4]))
    return str(ipaddress.IPv6Address(address[:16])) if family == AF_INET6 else ""


def _choose(env: Environment, event: Redirect) -> int:
    env.state["redirect"] = event
    return TC.REDIRECT
