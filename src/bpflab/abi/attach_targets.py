"""Which types of program an attach type takes, and what kind of thing they attach to.

From kernel/bpf/syscall.c (attach_type_to_prog_type, link_create) of Linux 6.18.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType, LinkType
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping


class Target(StrEnum):
    """What the target of PROG_ATTACH or LINK_CREATE names."""

    CGROUP = "cgroup"
    """A descriptor of a cgroup's directory."""
    INTERFACE = "interface"
    """The index of a network interface."""
    NETNS = "netns"
    """A descriptor of a network namespace."""
    SOCKMAP = "sockmap"
    """A descriptor of a SOCKMAP or SOCKHASH."""
    PERF_EVENT = "perf event"
    """A descriptor of a perf event."""
    KERNEL = "kernel"
    """A place in the kernel's own code, which the program or the attr names."""


_SOCK_ADDR = (
    AttachType.CGROUP_INET4_BIND,
    AttachType.CGROUP_INET6_BIND,
    AttachType.CGROUP_INET4_CONNECT,
    AttachType.CGROUP_INET6_CONNECT,
    AttachType.CGROUP_UDP4_SENDMSG,
    AttachType.CGROUP_UDP6_SENDMSG,
    AttachType.CGROUP_UDP4_RECVMSG,
    AttachType.CGROUP_UDP6_RECVMSG,
    AttachType.CGROUP_INET4_GETPEERNAME,
    AttachType.CGROUP_INET6_GETPEERNAME,
    AttachType.CGROUP_INET4_GETSOCKNAME,
    AttachType.CGROUP_INET6_GETSOCKNAME,
    AttachType.CGROUP_UNIX_CONNECT,
    AttachType.CGROUP_UNIX_SENDMSG,
    AttachType.CGROUP_UNIX_RECVMSG,
    AttachType.CGROUP_UNIX_GETPEERNAME,
    AttachType.CGROUP_UNIX_GETSOCKNAME,
)
_SOCK = (
    AttachType.CGROUP_INET_SOCK_CREATE,
    AttachType.CGROUP_INET_SOCK_RELEASE,
    AttachType.CGROUP_INET4_POST_BIND,
    AttachType.CGROUP_INET6_POST_BIND,
)

PROGRAM_OF: Final[Mapping[AttachType, ProgType]] = MappingProxyType(
    {
        AttachType.CGROUP_INET_INGRESS: ProgType.CGROUP_SKB,
        AttachType.CGROUP_INET_EGRESS: ProgType.CGROUP_SKB,
        **dict.fromkeys(_SOCK, ProgType.CGROUP_SOCK),
        **dict.fromkeys(_SOCK_ADDR, ProgType.CGROUP_SOCK_ADDR),
        AttachType.CGROUP_SOCK_OPS: ProgType.SOCK_OPS,
        AttachType.CGROUP_DEVICE: ProgType.CGROUP_DEVICE,
        AttachType.CGROUP_SYSCTL: ProgType.CGROUP_SYSCTL,
        AttachType.CGROUP_GETSOCKOPT: ProgType.CGROUP_SOCKOPT,
        AttachType.CGROUP_SETSOCKOPT: ProgType.CGROUP_SOCKOPT,
        AttachType.LSM_CGROUP: ProgType.LSM,
        AttachType.SK_MSG_VERDICT: ProgType.SK_MSG,
        AttachType.SK_SKB_STREAM_PARSER: ProgType.SK_SKB,
        AttachType.SK_SKB_STREAM_VERDICT: ProgType.SK_SKB,
        AttachType.SK_SKB_VERDICT: ProgType.SK_SKB,
        AttachType.LIRC_MODE2: ProgType.LIRC_MODE2,
        AttachType.FLOW_DISSECTOR: ProgType.FLOW_DISSECTOR,
        AttachType.SK_LOOKUP: ProgType.SK_LOOKUP,
        AttachType.XDP: ProgType.XDP,
        AttachType.TCX_INGRESS: ProgType.SCHED_CLS,
        AttachType.TCX_EGRESS: ProgType.SCHED_CLS,
        AttachType.NETKIT_PRIMARY: ProgType.SCHED_CLS,
        AttachType.NETKIT_PEER: ProgType.SCHED_CLS,
        AttachType.TRACE_RAW_TP: ProgType.TRACING,
        AttachType.TRACE_FENTRY: ProgType.TRACING,
        AttachType.TRACE_FEXIT: ProgType.TRACING,
        AttachType.MODIFY_RETURN: ProgType.TRACING,
        AttachType.TRACE_ITER: ProgType.TRACING,
        AttachType.LSM_MAC: ProgType.LSM,
    }
)
"""The type of program that an attach type implies; PERF_EVENT, NETFILTER and the *_MULTI types imply none."""

CGROUP_PROGRAMS: Final = frozenset(
    {
        ProgType.CGROUP_SKB,
        ProgType.CGROUP_SOCK,
        ProgType.CGROUP_SOCK_ADDR,
        ProgType.CGROUP_SOCKOPT,
        ProgType.CGROUP_DEVICE,
        ProgType.CGROUP_SYSCTL,
        ProgType.SOCK_OPS,
    }
)
"""Types whose programs attach to cgroups alone."""

FIXED_AT_LOAD: Final = frozenset(
    {ProgType.CGROUP_SOCK, ProgType.CGROUP_SOCK_ADDR, ProgType.CGROUP_SOCKOPT, ProgType.SK_LOOKUP}
)
"""Types whose programs attach only as the `expected_attach_type` says that they were loaded with."""

EXPECTED_AT_LOAD: Final[Mapping[ProgType, tuple[int, ...]]] = MappingProxyType(
    {
        ProgType.CGROUP_SKB: (AttachType.CGROUP_INET_INGRESS, AttachType.CGROUP_INET_EGRESS),
        ProgType.CGROUP_SOCK: _SOCK,
        ProgType.CGROUP_SOCK_ADDR: _SOCK_ADDR,
        ProgType.CGROUP_SOCKOPT: (AttachType.CGROUP_GETSOCKOPT, AttachType.CGROUP_SETSOCKOPT),
        ProgType.SK_LOOKUP: (AttachType.SK_LOOKUP,),
        ProgType.SK_REUSEPORT: (AttachType.SK_REUSEPORT_SELECT, AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE),
        ProgType.NETFILTER: (AttachType.NETFILTER,),
        ProgType.SYSCALL: (0,),
        ProgType.EXT: (0,),
    }
)
"""What `expected_attach_type` of PROG_LOAD may be; types that are not here take any number."""

DEFAULT_AT_LOAD: Final[Mapping[ProgType, AttachType]] = MappingProxyType(
    {
        ProgType.CGROUP_SOCK: AttachType.CGROUP_INET_SOCK_CREATE,
        ProgType.SK_REUSEPORT: AttachType.SK_REUSEPORT_SELECT,
    }
)
"""What 0 stands for in `expected_attach_type`."""

LINK_OF: Final[Mapping[ProgType, tuple[LinkType, Target]]] = MappingProxyType(
    {
        **dict.fromkeys(CGROUP_PROGRAMS, (LinkType.CGROUP, Target.CGROUP)),
        ProgType.XDP: (LinkType.XDP, Target.INTERFACE),
        ProgType.SCHED_CLS: (LinkType.TCX, Target.INTERFACE),
        ProgType.FLOW_DISSECTOR: (LinkType.NETNS, Target.NETNS),
        ProgType.SK_LOOKUP: (LinkType.NETNS, Target.NETNS),
        ProgType.SK_MSG: (LinkType.SOCKMAP, Target.SOCKMAP),
        ProgType.SK_SKB: (LinkType.SOCKMAP, Target.SOCKMAP),
        ProgType.PERF_EVENT: (LinkType.PERF_EVENT, Target.PERF_EVENT),
        ProgType.TRACEPOINT: (LinkType.PERF_EVENT, Target.PERF_EVENT),
        ProgType.KPROBE: (LinkType.PERF_EVENT, Target.PERF_EVENT),
        ProgType.TRACING: (LinkType.TRACING, Target.KERNEL),
        ProgType.LSM: (LinkType.TRACING, Target.KERNEL),
        ProgType.EXT: (LinkType.TRACING, Target.KERNEL),
        ProgType.NETFILTER: (LinkType.NETFILTER, Target.KERNEL),
    }
)
"""The kind of link that LINK_CREATE makes for a type of program, and what its target is."""
