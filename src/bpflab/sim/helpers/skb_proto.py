"""IPv4 made IPv6 and back: the room for the header changes, the program writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.ethernet import EtherType
from bpflab.sim import skb_hash
from bpflab.sim.skb_headers import make_room, take_room

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

DIFFERENCE: Final = 20
"""Bytes that an IPv6 header is longer than one of IPv4."""


def skb_change_proto(env: Environment, skb: Skb, proto: int, flags: int) -> int:
    """Translate; -ENOTSUPP for anything but between the two protocols."""
    if flags:
        return -Errno.EINVAL
    order = env.kernel.memory.order
    answer = _translate(skb, int.from_bytes(proto.to_bytes(2, order), "big"))
    skb.refresh()
    return answer


def _translate(skb: Skb, wanted: int) -> int:
    change = (skb.protocol, wanted)
    if change == (EtherType.IP, EtherType.IPV6):
        skb.make_headroom(DIFFERENCE)
        make_room(skb, skb.mac_header_length, DIFFERENCE)
    elif change == (EtherType.IPV6, EtherType.IP):
        if not take_room(skb, skb.mac_header_length, DIFFERENCE):
            return -Errno.ENOMEM
    else:
        return -Errno.ENOTSUPP
    skb.dodgy |= skb.is_gso
    skb.protocol = wanted
    skb_hash.forget(skb)
    return 0
