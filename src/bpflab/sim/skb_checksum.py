"""The sum that came with a packet, kept right while the packet changes (skb_postpull_rcsum and its kin).

Each function does nothing unless the packet came with a sum over all of it. They follow the kernel to the bit:
the sum's unfolded value is what bpf_csum_update returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim import checksum
from bpflab.sim.skb import Summed

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb


def sum_packet(skb: Skb) -> int:
    """Sum up the packet from its network header on."""
    return checksum.partial(skb.buffer[skb.network_header : skb.tail], 0, skb.order)


def sum_is_right(skb: Skb) -> bool:
    """Tell whether the sum is that of the packet; of one that ends before its network header it never is.

    For such a packet Linux 6.18 does not answer but stops with a BUG.
    """
    return skb.network_header <= skb.tail and checksum.fold(skb.csum) == checksum.fold(sum_packet(skb))


def removed(skb: Skb, content: bytes) -> None:
    """Take bytes out of the sum."""
    if skb.summed is Summed.COMPLETE:
        skb.csum = checksum.negate(checksum.partial(content, checksum.negate(skb.csum), skb.order))


def removed_at(skb: Skb, content: bytes, offset: int) -> None:
    """Take bytes at an offset out of the sum."""
    if skb.summed is Summed.COMPLETE:
        block = checksum.partial(content, 0, skb.order)
        skb.csum = checksum.add(skb.csum, checksum.shifted(~block & checksum.SUM_MASK, offset))


def added_at(skb: Skb, content: bytes, offset: int) -> None:
    """Take bytes at an offset into the sum."""
    if skb.summed is Summed.COMPLETE:
        block = checksum.partial(content, 0, skb.order)
        skb.csum = checksum.add(skb.csum, checksum.shifted(block, offset))


def forget_verified(skb: Skb) -> None:
    """Let checksums that were verified count as unknown."""
    if skb.summed is Summed.UNNECESSARY:
        skb.summed, skb.csum_level = Summed.NONE, 0


def forget_sum(skb: Skb) -> None:
    """Let the sum count as unknown: the packet's length changed."""
    if skb.summed is Summed.COMPLETE:
        skb.summed = Summed.NONE
