"""The hash of a packet's flow.

The kernel hashes with a key that is random at each boot; here the hash is a CRC-32 of the same parts, so that
it is the same in every run. As in the kernel, both directions of a flow have one hash, and it is never 0.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from bpflab.abi.ethernet import VLAN_HLEN, VLAN_TYPES, EtherType

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb

PORTED: Final = frozenset({6, 17, 33, 132, 136})
"""IP protocols that begin with two ports: TCP, UDP, DCCP, SCTP, UDP-Lite."""
FRAGMENT_OFFSET: Final = 0x1FFF
IPV4_LENGTH, IPV6_LENGTH = 20, 40
FLOW_LABEL: Final = 0xFFFFF


class Flow(NamedTuple):
    """What is hashed: the two ends (address and port, the smaller first), the protocols, IPv6's flow label."""

    ends: tuple[bytes, ...] = ()
    protocols: tuple[int, ...] = ()
    label: int = 0


def recalculated(skb: Skb) -> int:
    """Return the packet's hash, worked out first if it is not known."""
    if not skb.hash_is_set:
        set_hash(skb, hash_of(flow_of(skb)))
    return skb.context["hash"]


def set_hash(skb: Skb, value: int) -> None:
    """Give the packet a hash, which stays until it is forgotten."""
    skb.context["hash"] = value
    skb.hash_is_set = True


def forget(skb: Skb) -> None:
    """Let the hash be worked out anew when it is asked for; until then it reads as 0."""
    skb.context["hash"] = 0
    skb.hash_is_set = False


def hash_of(flow: Flow) -> int:
    """Hash a flow."""
    numbers = struct.pack(f">{len(flow.protocols)}HI", *flow.protocols, flow.label)
    return zlib.crc32(b"".join(flow.ends) + numbers) or 1


def flow_of(skb: Skb) -> Flow:
    """Dissect the packet from its network header on, through VLAN tags; what is cut short counts as absent."""
    kind, at = skb.protocol, skb.network_offset
    while kind in VLAN_TYPES:
        tag = skb.read(at, VLAN_HLEN)
        if tag is None:
            return Flow(protocols=(kind,))
        kind, at = int.from_bytes(tag[2:], "big"), at + VLAN_HLEN
    if kind == EtherType.IP:
        return _ipv4(skb, at)
    return _ipv6(skb, at) if kind == EtherType.IPV6 else Flow(protocols=(kind,))


def _ipv4(skb: Skb, at: int) -> Flow:
    header = skb.read(at, IPV4_LENGTH)
    if header is None or header[0] & 0xF < 5:
        return Flow(protocols=(EtherType.IP,))
    fragment = int.from_bytes(header[6:8], "big") & FRAGMENT_OFFSET
    ports = () if fragment else _ports(skb, at + 4 * (header[0] & 0xF), header[9])
    return _flow(header[12:16], header[16:20], ports, (EtherType.IP, header[9]))


def _ipv6(skb: Skb, at: int) -> Flow:
    header = skb.read(at, IPV6_LENGTH)
    if header is None:
        return Flow(protocols=(EtherType.IPV6,))
    label = int.from_bytes(header[:4], "big") & FLOW_LABEL
    ports = () if label else _ports(skb, at + IPV6_LENGTH, header[6])
    return _flow(header[8:24], header[24:40], ports, (EtherType.IPV6, header[6]), label)


def _ports(skb: Skb, at: int, protocol: int) -> tuple[bytes, ...]:
    found = skb.read(at, 4) if protocol in PORTED else None
    return (found[:2], found[2:]) if found else ()


def _flow(
    source: bytes, destination: bytes, ports: tuple[bytes, ...], protocols: tuple[int, ...], label: int = 0
) -> Flow:
    near, far = ports or (b"", b"")
    return Flow(tuple(sorted((source + near, destination + far))), protocols, label)
