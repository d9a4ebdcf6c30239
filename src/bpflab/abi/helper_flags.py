"""Flags and modes that programs pass to helpers, from linux/bpf.h.

Each class names the helpers that take it. Members are named as in the kernel without their prefix.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final


class StoreBytesFlag(IntFlag):
    """skb_store_bytes."""

    RECOMPUTE_CSUM = 1 << 0
    INVALIDATE_HASH = 1 << 1


class CsumReplaceFlag(IntFlag):
    """l4_csum_replace; the low four bits are the size of the header field (also for l3_csum_replace)."""

    PSEUDO_HDR = 1 << 4
    """The field is part of the pseudo header."""
    MARK_MANGLED_0 = 1 << 5
    """A zero checksum of UDP means none; leave it alone, and write a zero sum as 0xffff."""
    MARK_ENFORCE = 1 << 6
    """Update the checksum even if it is zero."""
    IPV6 = 1 << 7
    """The packet is IPv6."""


HDR_FIELD_MASK: Final = 0xF
"""The bits of the flags of l3_csum_replace and l4_csum_replace that hold the field's size."""


class CsumLevel(IntEnum):
    """csum_level."""

    QUERY = 0
    INC = 1
    DEC = 2
    RESET = 3


class TunnelKeyFlag(IntFlag):
    """skb_set_tunnel_key and skb_get_tunnel_key."""

    TUNINFO_IPV6 = 1 << 0
    ZERO_CSUM_TX = 1 << 1
    DONT_FRAGMENT = 1 << 2
    SEQ_NUMBER = 1 << 3
    NO_TUNNEL_KEY = 1 << 4
    """When setting."""
    TUNINFO_FLAGS = 1 << 4
    """When getting."""


class StackFlag(IntFlag):
    """get_stackid, get_stack and get_task_stack; the low eight bits count the frames to skip."""

    USER_STACK = 1 << 8
    FAST_STACK_CMP = 1 << 9
    """get_stackid: compare by hash only."""
    REUSE_STACKID = 1 << 10
    """get_stackid: a new stack replaces another of the same hash."""
    USER_BUILD_ID = 1 << 11
    """get_stack: give build id and offset."""


SKIP_FIELD_MASK: Final = 0xFF
"""The bits of a stack helper's flags that count the frames to skip."""


class PerfEventFlag(IntFlag):
    """perf_event_output, perf_event_read and perf_event_read_value."""

    INDEX_MASK = 0xFFFF_FFFF
    """The bits that index the map."""
    CURRENT_CPU = 0xFFFF_FFFF
    """As the index: the CPU that runs the program."""
    CTXLEN_MASK = 0xF_FFFF << 32
    """perf_event_output with a packet: how many bytes of the packet follow the data."""


CURRENT_NETNS: Final = -1
"""Instead of a network namespace id: the one of the program's device or socket."""


class AdjustRoomFlag(IntFlag):
    """skb_adjust_room, named without BPF_F_ADJ_ROOM_; the top eight bits are a new L2 length."""

    FIXED_GSO = 1 << 0
    ENCAP_L3_IPV4 = 1 << 1
    ENCAP_L3_IPV6 = 1 << 2
    ENCAP_L4_GRE = 1 << 3
    ENCAP_L4_UDP = 1 << 4
    NO_CSUM_RESET = 1 << 5
    ENCAP_L2_ETH = 1 << 6
    DECAP_L3_IPV4 = 1 << 7
    DECAP_L3_IPV6 = 1 << 8


ADJ_ROOM_ENCAP_L2_MASK: Final = 0xFF
ADJ_ROOM_ENCAP_L2_SHIFT: Final = 56


class AdjustRoomMode(IntEnum):
    """skb_adjust_room: where the room is made."""

    NET = 0
    """After the network header."""
    MAC = 1
    """After the MAC header."""


class HeaderStart(IntEnum):
    """skb_load_bytes_relative: where the offset counts from."""

    MAC = 0
    NET = 1


class LwtEncapMode(IntEnum):
    """lwt_push_encap."""

    SEG6 = 0
    SEG6_INLINE = 1
    IP = 2


class RedirectFlag(IntFlag):
    """redirect, clone_redirect and redirect_map."""

    INGRESS = 1 << 0
    """An skb enters the device instead of leaving by it."""
    BROADCAST = 1 << 3
    """redirect_map: to every device of the map."""
    EXCLUDE_INGRESS = 1 << 4
    """redirect_map: with BROADCAST, but not the device that the frame came from."""


class SysctlFlag(IntFlag):
    """sysctl_get_name."""

    BASE_NAME = 1 << 0


class StorageFlag(IntFlag):
    """sk_storage_get, inode_storage_get, task_storage_get and cgrp_storage_get."""

    CREATE = 1 << 0


class BranchRecordsFlag(IntFlag):
    """read_branch_records."""

    GET_SIZE = 1 << 0


class RingbufQuery(IntEnum):
    """ringbuf_query, named without BPF_RB_."""

    AVAIL_DATA = 0
    RING_SIZE = 1
    CONS_POS = 2
    PROD_POS = 3
    OVERWRITE_POS = 4


class SkAssignFlag(IntFlag):
    """sk_assign in SK_LOOKUP programs."""

    REPLACE = 1 << 0
    NO_REUSEPORT = 1 << 1


class BprmFlag(IntFlag):
    """bprm_opts_set."""

    SECUREEXEC = 1 << 0


class TimerFlag(IntFlag):
    """timer_start."""

    ABS = 1 << 0
    """The time is a moment of the timer's clock, not a distance from now."""
    CPU_PIN = 1 << 1
    """Run the callback on the CPU that starts the timer."""


class FibLookupFlag(IntFlag):
    """fib_lookup."""

    DIRECT = 1 << 0
    OUTPUT = 1 << 1
    SKIP_NEIGH = 1 << 2
    TBID = 1 << 3
    SRC = 1 << 4
    MARK = 1 << 5


class FibLookupResult(IntEnum):
    """What fib_lookup answers."""

    SUCCESS = 0
    BLACKHOLE = 1
    UNREACHABLE = 2
    PROHIBIT = 3
    NOT_FWDED = 4
    FWD_DISABLED = 5
    UNSUPP_LWT = 6
    NO_NEIGH = 7
    FRAG_NEEDED = 8
    NO_SRC_ADDR = 9


class CheckMtuFlag(IntFlag):
    """check_mtu."""

    SEGS = 1 << 0


class CheckMtuResult(IntEnum):
    """What check_mtu answers."""

    SUCCESS = 0
    FRAG_NEEDED = 1
    SEGS_TOOBIG = 2


class BtfShowFlag(IntFlag):
    """snprintf_btf and seq_printf_btf, named without BTF_F_."""

    COMPACT = 1 << 0
    NONAME = 1 << 1
    PTR_RAW = 1 << 2
    ZERO = 1 << 3
