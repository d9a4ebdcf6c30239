"""From bytes to layers, for people who look at a packet. scapy is imported by the first call."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def dissect(data: bytes, first: str = "ethernet") -> Any:  # noqa: ANN401 - scapy has no types
    """Return the packet as scapy layers.

    `first` is what the bytes begin with: `ethernet`, or `ip` (IPv4 or IPv6 by the version in the first byte). What
    scapy cannot make sense of stands as its `Raw` layer; bytes are never lost.
    """
    return _layer(first, data)(data)


def summary(data: bytes, first: str = "ethernet") -> str:
    """Describe a packet in one line, such as `Ether / IP / TCP 10.0.0.1:1025 > 10.0.0.2:23 S`."""
    text: str = dissect(data, first).summary()
    return text


def _layer(first: str, data: bytes) -> Callable[[bytes], Any]:
    if first == "ip":
        return _layers()["ipv6" if data[:1] and data[0] >> 4 == 6 else "ipv4"]
    return _layers()["ethernet"]


@cache
def _layers() -> dict[str, Callable[[bytes], Any]]:
    # Layers are known to scapy once their module is imported; these are the ones packet tests meet most.
    from scapy.layers import sctp, vxlan  # noqa: F401 - imported for what they register
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    return {"ethernet": Ether, "ipv4": IP, "ipv6": IPv6}
