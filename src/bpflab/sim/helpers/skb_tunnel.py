"""Tunnels that collect metadata: the key and options of the header, beside the packet (net/core/filter.c)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.events import TunnelSet
from bpflab.sim.tunnel import (
    KEY_SIZE,
    OLDER_SIZES,
    ONLY_IPV4_SIZE,
    WITH_OPTIONS,
    TunnelFlag,
    read_key,
    write_key,
)

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

IPV6, ZERO_CSUM, DONT_FRAGMENT, SEQ_NUMBER, NO_KEY = (1 << bit for bit in range(5))
"""Flags of skb_set_tunnel_key (BPF_F_TUNINFO_IPV6 and following of linux/bpf.h)."""
WITH_FLAGS: Final = 1 << 4
"""BPF_F_TUNINFO_FLAGS: skb_get_tunnel_key gives the header's flags too."""
EXT: Final = slice(22, 24)
LABEL: Final = slice(24, 28)
MAX_OPTIONS: Final = 255


def skb_get_tunnel_key(env: Environment, skb: Skb, key: Buffer, size: int, flags: int) -> int:
    """Copy what the packet's tunnel is; zeros where it has none, or one of the other version."""
    tunnel, answer = skb.tunnel, 0
    if tunnel is None or flags & ~(IPV6 | WITH_FLAGS):
        answer = -Errno.EINVAL
    elif tunnel.is_ipv6 != bool(flags & IPV6):
        answer = -Errno.EPROTO
    elif size not in {KEY_SIZE, *OLDER_SIZES} or (size == ONLY_IPV4_SIZE and tunnel.is_ipv6):
        answer = -Errno.EINVAL
    found = b"" if answer or tunnel is None else write_key(tunnel, skb.order, with_flags=bool(flags & WITH_FLAGS))
    del env
    key.fill(found)
    return answer


def skb_set_tunnel_key(env: Environment, skb: Skb, key: bytes, size: int, flags: int) -> int:
    """Say what tunnel the packet goes through."""
    wide = bool(flags & IPV6)
    if flags & ~(IPV6 | ZERO_CSUM | DONT_FRAGMENT | SEQ_NUMBER | NO_KEY) or size not in {KEY_SIZE, *OLDER_SIZES}:
        return -Errno.EINVAL
    whole = key.ljust(KEY_SIZE, b"\0")
    if (any(whole[LABEL]) and not wide) or any(whole[EXT]):
        return -Errno.EINVAL
    skb.tunnel = read_key(whole, skb.order, ipv6=wide, flags=_header_flags(flags))
    env.kernel.world.record(TunnelSet(env.running.name, skb.tunnel))
    return 0


def skb_get_tunnel_opt(env: Environment, skb: Skb, opt: Buffer, size: int) -> int:
    """Copy the tunnel's options, and give their length."""
    del env
    tunnel, answer = skb.tunnel, 0
    if tunnel is None or not tunnel.flags & WITH_OPTIONS:
        answer = -Errno.ENOENT
    elif size < len(tunnel.options):
        answer = -Errno.ENOMEM
    found = b"" if answer or tunnel is None else tunnel.options
    opt.fill(found)
    return answer or len(found)


def skb_set_tunnel_opt(env: Environment, skb: Skb, opt: bytes, size: int) -> int:
    """Give options to a tunnel that the program has set."""
    if skb.tunnel is None or not skb.tunnel.sent or size % 4:
        return -Errno.EINVAL
    if size > MAX_OPTIONS:
        return -Errno.ENOMEM
    skb.tunnel = replace(skb.tunnel, options=opt, flags=skb.tunnel.flags | WITH_OPTIONS)
    env.kernel.world.record(TunnelSet(env.running.name, skb.tunnel))
    return 0


def _header_flags(flags: int) -> TunnelFlag:
    found = TunnelFlag.NOCACHE
    found |= TunnelFlag.DONT_FRAGMENT if flags & DONT_FRAGMENT else TunnelFlag(0)
    found |= TunnelFlag(0) if flags & ZERO_CSUM else TunnelFlag.CSUM
    found |= TunnelFlag.SEQ if flags & SEQ_NUMBER else TunnelFlag(0)
    return found | (TunnelFlag(0) if flags & NO_KEY else TunnelFlag.KEY)
