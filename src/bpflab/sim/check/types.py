"""The types of registers that the load-time check tells apart, after the kernel's bpf_reg_type."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a register holds; the value is the word the kernel's log uses for it."""

    UNSET = "?"
    SCALAR = "scalar"
    CTX = "ctx"
    STACK = "fp"
    MAP_PTR = "map_ptr"
    MAP_VALUE = "map_value"
    MAP_KEY = "map_key"
    PACKET = "pkt"
    PACKET_META = "pkt_meta"
    PACKET_END = "pkt_end"
    FLOW_KEYS = "flow_keys"
    SOCKET = "sock"
    SOCK_COMMON = "sock_common"
    TCP_SOCK = "tcp_sock"
    XDP_SOCK = "xdp_sock"
    BTF = "ptr_"
    MEM = "mem"
    RINGBUF_MEM = "ringbuf_mem"
    BUFFER = "buf"
    FUNC = "func"
    DYNPTR = "dynptr_ptr"
    ANY = "any"
    """Different things on different paths, or something this check does not know: may do anything."""
