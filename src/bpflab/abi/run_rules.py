"""What PROG_TEST_RUN takes for each program type, and what to do for the types that it cannot run.

Source: net/bpf/test_run.c and the types' `test_run` operations; the figures were measured on Linux 6.18 by
running programs with every size, flag and context (a page of 4096 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.ethernet import EtherType
from bpflab.abi.flags import RunFlag
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping

ETH_HLEN: Final = 14
IPV4_HLEN: Final = 20
IPV6_HLEN: Final = 40
IP_HEADERS: Final[Mapping[int, tuple[str, int]]] = MappingProxyType(
    {EtherType.IP: ("IPv4", IPV4_HLEN), EtherType.IPV6: ("IPv6", IPV6_HLEN)}
)
"""By Ethernet type, the IP header that a test run of an skb wants whole: its name, and its bytes without options."""
SKB_MAX_DATA: Final = 3712
"""A page less the skb's head room (64) and shared info (320): what a test skb can hold."""
XDP_MAX_DATA: Final = 73152
"""What fits the first page between head and tail room, and 17 fragments of a page."""
PAGE_SIZE: Final = 4096
XDP_HEADROOM: Final = 256
XDP_TAILROOM: Final = 320
"""The shared info that the kernel keeps behind a frame's linear part."""
XDP_FRAME_STRUCT: Final = 40
"""`struct xdp_frame`, kept at the start of the head room; packets do not grow over it."""
MAX_FRAGMENTS: Final = 17
XDP_MAX_META: Final = 216
"""The head room less the 40 bytes that the kernel keeps for `struct xdp_frame`."""

NO_FLAGS: Final = RunFlag(0)


class Want(Enum):
    """Whether an input is wanted."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class RunRule:
    """What a test run of a program type takes.

    `min_data` and `max_data` bound the packet in bytes (both 0: no packet may be given); `max_ctx` bounds
    contexts without a fixed layout; `repeat` says whether a count of runs is accepted; `flags` are those
    allowed; `first_header` names what the packet starts with; `whole_ip` says that a packet must have the whole header
    of `IP_HEADERS` that its Ethernet type announces.
    """

    min_data: int = 0
    max_data: int = 0
    ctx: Want = Want.OPTIONAL
    max_ctx: int = 0
    repeat: bool = True
    flags: RunFlag = NO_FLAGS
    first_header: str = "Ethernet header"
    whole_ip: bool = False

    @property
    def takes_data(self) -> bool:
        """Whether a packet is given to the program."""
        return self.max_data > 0


_SKB: Final = RunRule(ETH_HLEN, SKB_MAX_DATA, flags=RunFlag.SKB_CHECKSUM_COMPLETE, whole_ip=True)
_RAW_TRACEPOINT: Final = RunRule(repeat=False, max_ctx=96, flags=RunFlag.RUN_ON_CPU)

RULES: Final[Mapping[ProgType, RunRule]] = MappingProxyType(
    {
        ProgType.SOCKET_FILTER: _SKB,
        ProgType.SCHED_CLS: _SKB,
        ProgType.SCHED_ACT: _SKB,
        ProgType.CGROUP_SKB: _SKB,
        ProgType.LWT_IN: _SKB,
        ProgType.LWT_OUT: _SKB,
        ProgType.LWT_XMIT: _SKB,
        ProgType.XDP: RunRule(ETH_HLEN, XDP_MAX_DATA, flags=RunFlag.XDP_LIVE_FRAMES),
        ProgType.FLOW_DISSECTOR: RunRule(ETH_HLEN, 4096),
        ProgType.NETFILTER: RunRule(IPV4_HLEN, SKB_MAX_DATA, first_header="IP header"),
        ProgType.SK_LOOKUP: RunRule(ctx=Want.REQUIRED),
        ProgType.RAW_TRACEPOINT: _RAW_TRACEPOINT,
        ProgType.SYSCALL: RunRule(repeat=False, max_ctx=65535),
        ProgType.TRACING: RunRule(ctx=Want.FORBIDDEN, repeat=False),
        ProgType.STRUCT_OPS: RunRule(max_ctx=96, repeat=False),
    }
)
"""The types that can be run, with what they take."""

_FIELDS: Final = RunRule(ctx=Want.REQUIRED, repeat=False)
_ARGUMENTS: Final = RunRule(repeat=False, max_ctx=96)

SIMULATED: Final[Mapping[ProgType, RunRule]] = MappingProxyType(
    {
        ProgType.TRACING: _ARGUMENTS,
        ProgType.LSM: _ARGUMENTS,
        ProgType.RAW_TRACEPOINT_WRITABLE: _ARGUMENTS,
        ProgType.TRACEPOINT: RunRule(ctx=Want.REQUIRED, repeat=False, max_ctx=8192),
        **dict.fromkeys(
            (
                ProgType.CGROUP_DEVICE,
                ProgType.CGROUP_SYSCTL,
                ProgType.CGROUP_SOCK,
                ProgType.CGROUP_SOCK_ADDR,
                ProgType.KPROBE,
                ProgType.PERF_EVENT,
                ProgType.LIRC_MODE2,
            ),
            _FIELDS,
        ),
        ProgType.CGROUP_SOCKOPT: RunRule(max_data=1 << 16, ctx=Want.REQUIRED, repeat=False, first_header="option"),
        ProgType.SOCK_OPS: RunRule(max_data=1 << 16, ctx=Want.REQUIRED, repeat=False, first_header="TCP header"),
        ProgType.LWT_SEG6LOCAL: _SKB,
        ProgType.SK_REUSEPORT: RunRule(max_data=1 << 16, repeat=False, first_header="TCP or UDP header"),
        ProgType.SK_MSG: RunRule(max_data=1 << 16, repeat=False, first_header="byte sent"),
        ProgType.SK_SKB: RunRule(max_data=1 << 16, repeat=False, first_header="byte received"),
    }
)
"""What only the simulated kernel runs, or runs with more than others take."""

INSTEAD: Final[Mapping[ProgType, str]] = MappingProxyType(
    {
        ProgType.KPROBE: "attach it and call the probed function, or run the same code as a raw tracepoint program",
        ProgType.TRACEPOINT: "attach it and provoke the event, or run the same code as a raw tracepoint program",
        ProgType.RAW_TRACEPOINT_WRITABLE: "load it as a plain raw tracepoint program for the test",
        ProgType.PERF_EVENT: "attach it to a perf event that fires",
        ProgType.CGROUP_SOCK: "attach it to a cgroup and create a socket in it",
        ProgType.CGROUP_SOCK_ADDR: "attach it to a cgroup and bind or connect a socket in it",
        ProgType.CGROUP_DEVICE: "attach it to a cgroup and open a device in it",
        ProgType.CGROUP_SYSCTL: "attach it to a cgroup and read or write a sysctl in it",
        ProgType.CGROUP_SOCKOPT: "attach it to a cgroup and call getsockopt or setsockopt in it",
        ProgType.SOCK_OPS: "attach it to a cgroup and make a TCP connection in it",
        ProgType.SK_SKB: "attach it to a sockmap and send through a socket in it",
        ProgType.SK_MSG: "attach it to a sockmap and send through a socket in it",
        ProgType.SK_REUSEPORT: "attach it to a reuseport group and connect to it",
        ProgType.LWT_SEG6LOCAL: "attach it to a seg6local route and send a packet over it",
        ProgType.LIRC_MODE2: "attach it to an infrared receiver",
        ProgType.LSM: "attach it and provoke the hook",
        ProgType.EXT: "run the program that it extends",
    }
)
"""What a test can do for a type that no kernel runs on demand."""
