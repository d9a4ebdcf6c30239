"""What a program's return value means, by type of program.

Values are from linux/bpf.h (`xdp_action`, `sk_action`, `tcx_action_base`, `bpf_ret_code`),
linux/pkt_cls.h (TC_ACT_*) and linux/netfilter.h (NF_*).
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping


class XDP(IntEnum):
    """What happens to a frame after an XDP program. The kernel drops it on any other value."""

    ABORTED = 0
    """Drop, and raise the xdp_exception tracepoint: the program failed."""
    DROP = 1
    PASS = 2
    """On to the network stack."""
    TX = 3
    """Back out of the device it came from."""
    REDIRECT = 4
    """To the device, CPU or socket that a redirect helper named."""


class TC(IntEnum):
    """What happens to a packet after a tc classifier (direct-action) or action program."""

    UNSPEC = -1
    """Continue with the next filter, or with the action configured for this one."""
    OK = 0
    """Accept and end the classification."""
    RECLASSIFY = 1
    """Start the classification again."""
    SHOT = 2
    """Drop."""
    PIPE = 3
    """Continue with the next action."""
    STOLEN = 4
    """Consumed; the sender is told that it was sent."""
    QUEUED = 5
    """Like STOLEN, kept for later."""
    REPEAT = 6
    """Repeat the action."""
    REDIRECT = 7
    """To the device that a redirect helper named."""
    TRAP = 8
    """Like STOLEN; in offloaded filters, handed to the CPU."""


class TCX(IntEnum):
    """What happens to a packet after a tcx program: the part of `TC` that tcx knows."""

    NEXT = -1
    PASS = 0
    DROP = 2
    REDIRECT = 7


class SK(IntEnum):
    """The verdict of the socket programs SK_SKB, SK_MSG, SK_LOOKUP and SK_REUSEPORT."""

    DROP = 0
    PASS = 1


class CGROUP(IntEnum):
    """The verdict of a cgroup program.

    Only CGROUP_SKB programs at egress know the two congestion values. A program attached to bind
    may return 3 as well, which means to allow the port without CAP_NET_BIND_SERVICE.
    """

    DENY = 0
    """The caller gets EPERM (an ingress packet is dropped)."""
    ALLOW = 1
    DENY_CONGESTION = 2
    """Drop the packet and tell TCP to slow down."""
    ALLOW_CONGESTION = 3
    """Send the packet and tell TCP to slow down."""
    ALLOW_PRIVILEGED_PORT = 3


class LWT(IntEnum):
    """What happens to a packet after a program of a lightweight tunnel route (LWT_*)."""

    OK = 0
    DROP = 2
    REDIRECT = 7
    """To another device; LWT_XMIT only."""
    REROUTE = 128
    """Look up the route again, by the changed header; LWT_IN and LWT_XMIT only."""


class FLOW_DISSECTOR(IntEnum):  # noqa: N801 - verdicts are written in capitals, as the kernel does
    """What a flow dissector program says of its own work."""

    OK = 0
    """The flow keys are filled in."""
    DROP = 2
    """The packet could not be dissected."""
    CONTINUE = 129
    """Not dissected; the kernel's own dissector takes over."""


class NETFILTER(IntEnum):
    """The verdicts of netfilter that a BPF program may return."""

    DROP = 0
    ACCEPT = 1


class LSM(IntEnum):
    """The answer of a security hook: 0 lets it happen, a negative errno forbids it. Hooks without answer give 0."""

    ALLOW = 0
    EPERM = -1
    ENOENT = -2
    ESRCH = -3
    EINTR = -4
    EIO = -5
    ENXIO = -6
    E2BIG = -7
    ENOEXEC = -8
    EBADF = -9
    ECHILD = -10
    EAGAIN = -11
    ENOMEM = -12
    EACCES = -13
    EFAULT = -14
    EBUSY = -16
    EEXIST = -17
    EXDEV = -18
    ENODEV = -19
    ENOTDIR = -20
    EISDIR = -21
    EINVAL = -22
    ENFILE = -23
    EMFILE = -24
    ETXTBSY = -26
    EFBIG = -27
    ENOSPC = -28
    EROFS = -30
    EMLINK = -31
    EPIPE = -32
    ERANGE = -34
    ENAMETOOLONG = -36
    ENOSYS = -38
    ELOOP = -40
    ENODATA = -61
    EPROTO = -71
    EOVERFLOW = -75
    EAFNOSUPPORT = -97
    EOPNOTSUPP = -95
    ECONNREFUSED = -111
    EDQUOT = -122
    ECANCELED = -125
    ENOKEY = -126
    EKEYREJECTED = -129


class PROBE(IntEnum):
    """What a program of a kprobe, uprobe, tracepoint or perf event says of the perf event that it is attached by."""

    FILTER = 0
    """It is not recorded."""
    RECORD = 1


_VERDICTS: Final[Mapping[ProgType, type[IntEnum]]] = MappingProxyType(
    {
        ProgType.XDP: XDP,
        ProgType.SCHED_CLS: TC,
        ProgType.SCHED_ACT: TC,
        ProgType.SK_SKB: SK,
        ProgType.SK_MSG: SK,
        ProgType.SK_LOOKUP: SK,
        ProgType.SK_REUSEPORT: SK,
        ProgType.CGROUP_SKB: CGROUP,
        ProgType.CGROUP_SOCK: CGROUP,
        ProgType.CGROUP_SOCK_ADDR: CGROUP,
        ProgType.CGROUP_DEVICE: CGROUP,
        ProgType.CGROUP_SYSCTL: CGROUP,
        ProgType.CGROUP_SOCKOPT: CGROUP,
        ProgType.SOCK_OPS: CGROUP,
        ProgType.LWT_IN: LWT,
        ProgType.LWT_OUT: LWT,
        ProgType.LWT_XMIT: LWT,
        ProgType.LWT_SEG6LOCAL: LWT,
        ProgType.FLOW_DISSECTOR: FLOW_DISSECTOR,
        ProgType.NETFILTER: NETFILTER,
        ProgType.LSM: LSM,
        **dict.fromkeys((ProgType.KPROBE, ProgType.TRACEPOINT, ProgType.PERF_EVENT), PROBE),
    }
)


def verdict_type(prog_type: ProgType, attach_type: AttachType | None = None) -> type[IntEnum] | None:
    """Give the enum of the verdicts of a program type, or None if its return value is a mere number.

    `attach_type` matters to security programs: those of a cgroup answer as cgroups do. A SOCKET_FILTER returns the
    number of bytes to keep; most tracing programs return a number too.
    """
    if prog_type is ProgType.LSM and attach_type is AttachType.LSM_CGROUP:
        return CGROUP
    return _VERDICTS.get(prog_type)


def verdict_of(prog_type: ProgType, retval: int) -> IntEnum | None:
    """Read a return value as a verdict; None if the type has no verdicts or does not know this one.

    `retval` may be the unsigned 32 bits that a test run gives: 0xffffffff is TC.UNSPEC.
    """
    kind = verdict_type(prog_type)
    signed = retval - (1 << 32) if retval >= 1 << 31 else retval
    return None if kind is None else next((verdict for verdict in kind if verdict == signed), None)
