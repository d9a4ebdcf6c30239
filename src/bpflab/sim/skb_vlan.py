"""VLAN tags of a socket buffer: one beside the packet, as devices leave it, further ones in it (net/core/skbuff.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.ethernet import ETH_ALEN, VLAN_HLEN, VLAN_TYPES
from bpflab.abi.run_rules import ETH_HLEN
from bpflab.sim import skb_checksum
from bpflab.sim.skb import encapsulated_type

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb

VLAN_MAX_DEPTH: Final = 8
"""How many tags are followed (linux/if_vlan.h)."""


def put_tag(skb: Skb, protocol: int, tci: int) -> None:
    """Set the tag beside the packet. One whose protocol and tci are 0 is none."""
    skb.context.set_network("vlan_proto", protocol)
    skb.context["vlan_tci"] = tci
    skb.context["vlan_present"] = int(bool(protocol or tci))


def insert_tag(skb: Skb) -> None:
    """Put the tag beside the packet into it, behind the addresses; the network header stays where it was in there."""
    protocol, tci = skb.context.network("vlan_proto"), skb.context["vlan_tci"]
    tag = protocol.to_bytes(2, "big") + tci.to_bytes(2, "big")
    skb.make_headroom(VLAN_HLEN)
    skb.push_zeros(2 * ETH_ALEN, VLAN_HLEN)
    skb.write(2 * ETH_ALEN, tag)
    skb.mac_header -= VLAN_HLEN
    skb.network_header -= VLAN_HLEN
    skb.protocol = protocol
    skb_checksum.added_at(skb, tag, 0)


def take_tag(skb: Skb) -> int | None:
    """Take the outer tag out of the packet and return its tci; None when the packet is too short for one."""
    if not skb.reach(ETH_HLEN + VLAN_HLEN):
        return None
    start = skb.data + ETH_HLEN
    tci, kind = (int.from_bytes(skb.buffer[at : at + 2], "big") for at in (start, start + 2))
    skb.protocol = encapsulated_type(kind, bytes(skb.buffer[start + 4 : start + 6]))
    skb_checksum.removed(skb, skb.cut(2 * ETH_ALEN, VLAN_HLEN))
    skb.mac_header += VLAN_HLEN
    skb.network_header = max(skb.network_header, skb.data + ETH_HLEN)
    skb.mac_length = skb.mac_header_length
    return tci


def protocol_behind_tags(skb: Skb) -> int:
    """Return the protocol behind the tags in the packet; 0 when they run past its end or are too many."""
    kind = skb.protocol
    if kind not in VLAN_TYPES:
        return kind
    depth = skb.mac_length - VLAN_HLEN if skb.mac_length else ETH_HLEN
    for _ in range(VLAN_MAX_DEPTH - 1):
        tag = skb.read(depth, VLAN_HLEN)
        if tag is None:
            return 0
        kind = int.from_bytes(tag[2:], "big")
        if kind not in VLAN_TYPES:
            return kind
        depth += VLAN_HLEN
    return 0
