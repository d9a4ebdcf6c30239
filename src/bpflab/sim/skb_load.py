"""The legacy packet loads LD_ABS and LD_IND on a socket buffer (RFC 9669 section 5.3, net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.sim.engine import PacketLoad
    from bpflab.sim.skb import Skb

SKF_LL_OFF: Final = -0x200000
SKF_NET_OFF: Final = -0x100000
"""Negative offsets of linux/filter.h: relative to the MAC header, and to the network header."""


def packet_loader(skb: Skb) -> PacketLoad:
    """Return the accessor of a buffer: (signed offset, size) -> number in network byte order, or None."""

    def load(offset: int, size: int) -> int | None:
        if offset < 0:
            link = offset < SKF_NET_OFF
            start = offset + (skb.mac_header - SKF_LL_OFF if link else skb.network_header - SKF_NET_OFF)
            raw = bytes(skb.buffer[start : start + size]) if skb.mac_header <= start <= skb.tail - size else None
        else:
            raw = skb.read(offset, size)
        return None if raw is None else int.from_bytes(raw, "big")

    return load
