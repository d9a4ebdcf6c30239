"""Room behind the headers of a packet, made and taken (bpf_skb_net_hdr_push and _pop of net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim import skb_checksum

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb


def make_room(skb: Skb, at: int, count: int) -> None:
    """Make room for zeros; the headers in front of it move towards the head. The caller has seen to the head room."""
    _move_headers(skb, -count)
    skb.push_zeros(at, count)


def take_room(skb: Skb, at: int, count: int) -> bool:
    """Take bytes away; the headers in front of them move up. False when the packet is too short."""
    if not skb.reach(at + count):
        return False
    skb_checksum.removed(skb, skb.cut(at, count))
    _move_headers(skb, count)
    return True


def _move_headers(skb: Skb, by: int) -> None:
    # A transport header in the network header's place goes with it.
    if skb.transport_header == skb.network_header:
        skb.transport_header += by
    skb.mac_header += by
    skb.network_header += by
