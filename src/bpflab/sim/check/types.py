"""The types of registers that the load-time check tells apart, after the kernel's bpf_reg_type."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


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
    TRUSTED_BTF = "trusted_ptr_"
    MEM = "mem"
    RDONLY_MEM = "rdonly_mem"
    RINGBUF_MEM = "ringbuf_mem"
    BUFFER = "buf"
    FUNC = "func"
    DYNPTR = "dynptr_ptr"
    ITER = "iter"
    IRQ_FLAG = "irq_flag"
    PERCPU = "percpu_ptr_"
    ANY = "any"
    """Different things on different paths, or something this check does not know: may do anything."""


PACKETS: Final = frozenset({Kind.PACKET, Kind.PACKET_META, Kind.PACKET_END})
"""Pointers that a helper that moves the packet makes invalid."""

SOCKETS: Final = frozenset({Kind.SOCKET, Kind.SOCK_COMMON, Kind.TCP_SOCK, Kind.XDP_SOCK})

NEVER_NULL: Final = frozenset(
    {*SOCKETS, Kind.MAP_VALUE, Kind.MAP_KEY, Kind.MAP_PTR, Kind.MEM, Kind.RDONLY_MEM, Kind.RINGBUF_MEM}
)
"""Pointers of which the verifier knows, once they were checked, that comparing them with 0 fails."""
