"""What a network device knows of the frame that it received, as XDP programs may ask it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Received:
    """Set by the test: `world.received.hash = 7`. None: the device does not tell (EOPNOTSUPP).

    `timestamp` is in nanoseconds; `hash_type` the bits of `enum xdp_rss_hash_type`; `vlan` the protocol (0x8100) and
    the tag's control information of a tag that the device took off.
    """

    timestamp: int | None = None
    hash: int | None = None
    hash_type: int = 0
    vlan: tuple[int, int] | None = None
