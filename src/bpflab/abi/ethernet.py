"""Ethernet, as programs on packets meet it: lengths, protocols, and for whom a frame is.

The length of the Ethernet header itself, ETH_HLEN, stands in `run_rules`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

ETH_ALEN: Final = 6
"""Bytes of a MAC address (linux/if_ether.h)."""
VLAN_HLEN: Final = 4
"""Bytes of a VLAN tag: its control information, and the protocol behind it (linux/if_vlan.h)."""
LEAST_ETHERTYPE: Final = 0x0600
"""Smaller numbers in a frame's type field are its length (ETH_P_802_3_MIN)."""


class EtherType(IntEnum):
    """Protocols of a frame, named as in linux/if_ether.h without ETH_P_; the first two stand for no protocol."""

    P_802_3 = 0x0001
    P_802_2 = 0x0004
    IP = 0x0800
    P_8021Q = 0x8100
    IPV6 = 0x86DD
    P_8021AD = 0x88A8


VLAN_TYPES: Final = frozenset({EtherType.P_8021Q, EtherType.P_8021AD})
"""Protocols that are VLAN tags."""


class PacketType(IntEnum):
    """For whom a packet is, seen from the device that it came in by (linux/if_packet.h)."""

    HOST = 0
    BROADCAST = 1
    MULTICAST = 2
    OTHERHOST = 3
    OUTGOING = 4
    LOOPBACK = 5
    USER = 6
    KERNEL = 7
