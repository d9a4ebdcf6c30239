"""A packet's length, changed at either end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim import skb_checksum
from bpflab.sim.skb import MAX_LENGTH, NOT_SET

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment


def skb_change_head(env: Environment, skb: Skb, len: int, flags: int) -> int:
    """Put zeros in front of the packet, and let its MAC header begin there."""
    del env
    if flags or len >= 1 << 31 or (not skb.is_gso and skb.length + len > MAX_LENGTH):
        return -Errno.EINVAL
    if not skb.has_memory(len):
        return -Errno.ENOMEM
    skb.make_headroom(len)
    skb.push_zeros(0, len)
    skb.mac_header = skb.data
    skb.mac_length = skb.mac_header_length
    skb.refresh()
    return 0


def skb_change_tail(env: Environment, skb: Skb, len: int, flags: int) -> int:
    """Cut the packet, or extend it with zeros; it no longer stands for several segments."""
    del env
    if flags or not least_length(skb) <= len <= MAX_LENGTH:
        return -Errno.EINVAL
    if skb.encapsulation:
        return -Errno.ENOTSUPP
    skb.reach(skb.length)
    if len != skb.length:
        skb_checksum.forget_sum(skb)
        skb.resize(len)
    skb.context["gso_size"] = skb.context["gso_segs"] = 0
    skb.dodgy = False
    skb.refresh()
    return 0


def least_length(skb: Skb) -> int:
    """Return how short the packet may become: its headers stay, as far as the kernel knows where they are."""
    transport = skb.transport_header - skb.data if skb.transport_header != NOT_SET else 0
    return transport if transport > 0 else max(skb.network_offset, 0)
