"""What is known of the tunnel that a packet came through, or is to go through (struct ip_tunnel_info)."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

KEY_SIZE: Final = 44
"""Bytes of `struct bpf_tunnel_key`."""
OLDER_SIZES: Final = frozenset({8, 22, 24, 28})
"""What it had before: up to the IPv4 address, tunnel_ext, tunnel_label, local_ipv6."""
ONLY_IPV4_SIZE: Final = 8
FLOW_LABEL: Final = 0xFFFFF


class TunnelFlag(IntFlag):
    """What a tunnel's header has (IP_TUNNEL_*_BIT of net/ip_tunnels.h)."""

    CSUM = 1 << 0
    KEY = 1 << 2
    SEQ = 1 << 3
    DONT_FRAGMENT = 1 << 8
    GENEVE_OPT = 1 << 11
    VXLAN_OPT = 1 << 12
    NOCACHE = 1 << 13
    ERSPAN_OPT = 1 << 14
    GTP_OPT = 1 << 15


WITH_OPTIONS: Final = TunnelFlag.GENEVE_OPT | TunnelFlag.VXLAN_OPT | TunnelFlag.ERSPAN_OPT | TunnelFlag.GTP_OPT


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A tunnel's facts: `source` and `destination` are those of its header, as texts; `label` is IPv6's flow label.

    `sent` says that a program gave them, for the packet to go through it.
    """

    id: int = 0
    source: str = "0.0.0.0"
    destination: str = "0.0.0.0"
    tos: int = 0
    ttl: int = 0
    label: int = 0
    flags: TunnelFlag = TunnelFlag.KEY
    options: bytes = b""
    sent: bool = False

    @property
    def is_ipv6(self) -> bool:
        """Whether its outer header is of IPv6."""
        return ipaddress.ip_address(self.source).version == 6


def read_key(raw: bytes, order: ByteOrder, *, ipv6: bool, flags: TunnelFlag) -> Tunnel:
    """Read a `struct bpf_tunnel_key` that a program gives for sending: remote is the destination."""
    prefix = "<" if order == "little" else ">"
    number, tos, ttl = struct.unpack_from(f"{prefix}I16xBB", raw)
    return Tunnel(
        number,
        source=_address(raw[28:44], order, ipv6=ipv6),
        destination=_address(raw[4:20], order, ipv6=ipv6),
        tos=tos,
        ttl=ttl,
        label=struct.unpack_from(f"{prefix}I", raw, 24)[0] & FLOW_LABEL if ipv6 else 0,
        flags=flags,
        sent=True,
    )


def write_key(tunnel: Tunnel, order: ByteOrder, *, with_flags: bool) -> bytes:
    """Write the `struct bpf_tunnel_key` of a packet that came: remote is the source."""
    prefix = "<" if order == "little" else ">"
    remote, local = (_packed(each, order) for each in (tunnel.source, tunnel.destination))
    flags = struct.pack("!H", tunnel.flags) if with_flags else bytes(2)
    head = struct.pack(f"{prefix}I", tunnel.id & 0xFFFFFFFF) + remote + bytes([tunnel.tos, tunnel.ttl]) + flags
    return head + struct.pack(f"{prefix}I", tunnel.label) + local


def _address(raw: bytes, order: ByteOrder, *, ipv6: bool) -> str:
    if ipv6:
        return str(ipaddress.IPv6Address(raw))
    return str(ipaddress.IPv4Address(int.from_bytes(raw[:4], order)))


def _packed(text: str, order: ByteOrder) -> bytes:
    address: Address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else int(address).to_bytes(4, order).ljust(16, b"\0")
