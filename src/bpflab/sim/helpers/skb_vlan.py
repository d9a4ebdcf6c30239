"""VLAN tags put on packets and taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.ethernet import VLAN_TYPES, EtherType
from bpflab.sim.skb_vlan import insert_tag, put_tag, take_tag

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment


def skb_vlan_push(env: Environment, skb: Skb, vlan_proto: int, vlan_tci: int) -> int:
    """Put a tag beside the packet; the one that is there goes into it. Other protocols than VLAN count as 802.1Q."""
    order = env.kernel.memory.order
    protocol = int.from_bytes(vlan_proto.to_bytes(2, order), "big")
    if skb.context["vlan_present"]:
        insert_tag(skb)
    put_tag(skb, protocol if protocol in VLAN_TYPES else EtherType.P_8021Q, vlan_tci)
    skb.mac_length = skb.mac_header_length
    skb.refresh()
    return 0


def skb_vlan_pop(env: Environment, skb: Skb) -> int:
    """Take the outer tag off, wherever it is; the next one in the packet then stands beside it."""
    del env
    answer = _pop(skb)
    skb.refresh()
    return answer


def _pop(skb: Skb) -> int:
    if skb.context["vlan_present"]:
        put_tag(skb, 0, 0)
    elif skb.protocol not in VLAN_TYPES:
        return 0
    elif take_tag(skb) is None:
        return -Errno.ENOMEM
    outer = skb.protocol
    if outer not in VLAN_TYPES:
        return 0
    tci = take_tag(skb)
    if tci is None:
        return -Errno.ENOMEM
    put_tag(skb, outer, tci)
    return 0
