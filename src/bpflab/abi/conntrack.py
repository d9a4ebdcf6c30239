"""Connection tracking as programs see it (net/netfilter/nf_conntrack_bpf.c, linux/netfilter/nf_conntrack_common.h)."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final


class CtStatus(IntFlag):
    """IPS_*: what is known of a connection."""

    EXPECTED = 1 << 0
    SEEN_REPLY = 1 << 1
    ASSURED = 1 << 2
    CONFIRMED = 1 << 3
    SRC_NAT = 1 << 4
    DST_NAT = 1 << 5
    SEQ_ADJUST = 1 << 6
    SRC_NAT_DONE = 1 << 7
    DST_NAT_DONE = 1 << 8
    DYING = 1 << 9
    FIXED_TIMEOUT = 1 << 10
    TEMPLATE = 1 << 11
    UNTRACKED = 1 << 12
    HELPER = 1 << 13
    OFFLOAD = 1 << 14
    HW_OFFLOAD = 1 << 15


class NatManip(IntEnum):
    """NF_NAT_MANIP_*: which end of a connection an address translation changes."""

    SRC = 0
    DST = 1


NAT: Final = CtStatus.SRC_NAT | CtStatus.DST_NAT
NAT_DONE: Final = CtStatus.SRC_NAT_DONE | CtStatus.DST_NAT_DONE
UNCHANGEABLE: Final = (
    NAT_DONE
    | NAT
    | CtStatus.EXPECTED
    | CtStatus.CONFIRMED
    | CtStatus.DYING
    | CtStatus.SEQ_ADJUST
    | CtStatus.TEMPLATE
    | CtStatus.UNTRACKED
    | CtStatus.OFFLOAD
    | CtStatus.HW_OFFLOAD
)
"""Bits that a change leaves as they are (IPS_UNCHANGEABLE_MASK)."""
FIXED: Final = CtStatus.EXPECTED | CtStatus.CONFIRMED | CtStatus.DYING
"""Bits whose change is refused with EBUSY."""
STAYS: Final = CtStatus.SEEN_REPLY | CtStatus.ASSURED
"""Bits that may be set but not cleared."""

OPTIONS_SIZE: Final = 16
SHORT_OPTIONS_SIZE: Final = 12
"""Sizes of struct bpf_ct_opts that are taken; the second one is that of Linux before 6.10."""
BOTH_DIRECTIONS: Final = 3
"""The directions that a zone is for where nothing is said, as bits (NF_CT_DEFAULT_ZONE_DIR)."""
FIRST_TIMEOUT: Final = 10
"""Seconds that an allocated entry has, unless the program says otherwise."""
NO_NETNS: Final = -1
"""netns_id of the program's own network namespace (BPF_F_CURRENT_NETNS)."""
PROTOCOLS: Final = {"tcp": 6, "udp": 17}
"""The protocols that programs may look up, by name."""
TUPLES: Final = {12: (2, 4), 36: (10, 16)}
"""By size of a struct bpf_sock_tuple: its family, and the bytes of an address."""
