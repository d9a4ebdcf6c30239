"""skb_adjust_room: room for a tunnel's headers, put on or taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.ethernet import EtherType
from bpflab.abi.helper_flags import (
    ADJ_ROOM_ENCAP_L2_MASK,
    ADJ_ROOM_ENCAP_L2_SHIFT,
    AdjustRoomFlag,
    AdjustRoomMode,
)
from bpflab.abi.run_rules import ETH_HLEN
from bpflab.sim import skb_checksum, skb_headers
from bpflab.sim.skb import MAX_LENGTH

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

LARGEST_CHANGE: Final = 0xFFF
BASE_LENGTHS: Final = {EtherType.IP: 20, EtherType.IPV6: 40}
"""Bytes of the network header without options."""

ENCAP_L3: Final = AdjustRoomFlag.ENCAP_L3_IPV4 | AdjustRoomFlag.ENCAP_L3_IPV6
ENCAP_L4: Final = AdjustRoomFlag.ENCAP_L4_GRE | AdjustRoomFlag.ENCAP_L4_UDP
DECAP_L3: Final = AdjustRoomFlag.DECAP_L3_IPV4 | AdjustRoomFlag.DECAP_L3_IPV6
KNOWN: Final = sum(AdjustRoomFlag) | ADJ_ROOM_ENCAP_L2_MASK << ADJ_ROOM_ENCAP_L2_SHIFT
MODES: Final = frozenset(AdjustRoomMode)
SHRINKING: Final = int(AdjustRoomFlag.FIXED_GSO | DECAP_L3 | AdjustRoomFlag.NO_CSUM_RESET)

OUTER: Final = {AdjustRoomFlag.ENCAP_L3_IPV4: EtherType.IP, AdjustRoomFlag.ENCAP_L3_IPV6: EtherType.IPV6}
INNER: Final = {AdjustRoomFlag.DECAP_L3_IPV4: EtherType.IP, AdjustRoomFlag.DECAP_L3_IPV6: EtherType.IPV6}
"""The protocol of the packet afterwards, by the flag that names it."""


def skb_adjust_room(env: Environment, skb: Skb, len_diff: int, mode: int, flags: int) -> int:
    """Make or take room behind the MAC or network header."""
    del env
    answer = _refusal(skb, len_diff, mode, flags)
    if not answer:
        at = skb.mac_header_length + (BASE_LENGTHS[EtherType(skb.protocol)] if mode == AdjustRoomMode.NET else 0)
        answer = _shrink(skb, at, -len_diff, flags) if len_diff < 0 else _grow(skb, at, len_diff, flags)
    if not answer and not flags & AdjustRoomFlag.NO_CSUM_RESET:
        skb_checksum.forget_verified(skb)
    skb.refresh()
    return answer


def _refusal(skb: Skb, len_diff: int, mode: int, flags: int) -> int:
    if flags & ~KNOWN:
        return -Errno.EINVAL
    if abs(len_diff) > LARGEST_CHANGE:
        return -Errno.EFAULT
    if skb.protocol not in BASE_LENGTHS or mode not in MODES:
        return -Errno.ENOTSUPP
    if flags & DECAP_L3 and (len_diff >= 0 or flags & DECAP_L3 == DECAP_L3):
        return -Errno.EINVAL
    left = skb.length - skb.network_offset + len_diff
    too_short = len_diff < 0 and (left <= 0 or left < _least(skb, flags))
    too_long = len_diff >= 0 and skb.length + len_diff > MAX_LENGTH and not skb.is_gso
    return -Errno.ENOTSUPP if too_short or too_long else 0


def _least(skb: Skb, flags: int) -> int:
    """Return how much must stay from the network header on: a header of the protocol that it will be."""
    return BASE_LENGTHS[EtherType(_renamed(skb, INNER, flags))]


def _renamed(skb: Skb, names: dict[AdjustRoomFlag, EtherType], flags: int) -> int:
    return next((protocol for flag, protocol in names.items() if flags & flag), skb.protocol)


def _grow(skb: Skb, at: int, count: int, flags: int) -> int:
    if skb.is_gso:
        return -Errno.ENOTSUPP
    skb.make_headroom(count)
    if not flags & ENCAP_L3:
        skb_headers.make_room(skb, at, count)
        return 0
    answer = _encap_refusal(skb, count, flags)
    if not answer:
        _encapsulate(skb, at, count, flags)
    return answer


def _encap_refusal(skb: Skb, count: int, flags: int) -> int:
    inner_mac = flags >> ADJ_ROOM_ENCAP_L2_SHIFT
    if (
        flags & ENCAP_L3 == ENCAP_L3
        or flags & ENCAP_L4 == ENCAP_L4
        or (flags & AdjustRoomFlag.ENCAP_L2_ETH and inner_mac < ETH_HLEN)
    ):
        return -Errno.EINVAL
    if skb.encapsulation:
        return -Errno.EALREADY
    return -Errno.EINVAL if inner_mac > count else 0


def _encapsulate(skb: Skb, at: int, count: int, flags: int) -> None:
    mac_length = skb.mac_header_length
    skb_headers.make_room(skb, at, count)
    skb.encapsulation = True
    skb.network_header = skb.data + mac_length
    if flags & ENCAP_L4:
        outer = EtherType.IPV6 if flags & AdjustRoomFlag.ENCAP_L3_IPV6 else EtherType.IP
        skb.transport_header = skb.data + mac_length + BASE_LENGTHS[outer]
    skb.protocol = _renamed(skb, OUTER, flags)


def _shrink(skb: Skb, at: int, count: int, flags: int) -> int:
    if flags & ~SHRINKING:
        return -Errno.EINVAL
    if skb.is_gso:
        return -Errno.ENOTSUPP
    if not skb_headers.take_room(skb, at, count):
        return -Errno.ENOMEM
    skb.protocol = _renamed(skb, INNER, flags)
    return 0
