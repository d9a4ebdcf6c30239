"""Contexts as typed objects: what a test gives a program beside its packet, and what comes back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from bpflab.abi.context import layout_of, run_layout_of
from bpflab.abi.prog_types import ProgType
from bpflab.abi.run_rules import SIMULATED
from bpflab.contexts.cgroup import CgroupDevice, SkMsg, SkSkb, Sock, SockAddr, SockOps, SockOpt, Sysctl
from bpflab.contexts.raw import Arguments, RawContext
from bpflab.contexts.record import Record
from bpflab.contexts.registers import PerfEventData, PtRegs
from bpflab.contexts.structure import Context

if TYPE_CHECKING:
    from bpflab.abi.context import ContextLayout

__all__ = [
    "AnyContext",
    "Arguments",
    "CgroupDevice",
    "Context",
    "FlowKeys",
    "LircMode2",
    "PerfEventData",
    "PtRegs",
    "RawContext",
    "Record",
    "SkBuff",
    "SkLookup",
    "SkMsg",
    "SkReuseport",
    "SkSkb",
    "Sock",
    "SockAddr",
    "SockOps",
    "SockOpt",
    "Sysctl",
    "XdpMd",
    "context_class",
    "context_layout",
]


class XdpMd(Context):
    """`struct xdp_md`: what an XDP program gets.

    `data` is the number of bytes at the front of the given packet that are metadata (a multiple of 4, at most
    32); `data_end` is set to the packet's length. `rx_queue_index` wants an `ingress_ifindex` that exists.
    """

    structure = "xdp_md"


class SkBuff(Context):
    """`struct __sk_buff`: what socket filters, tc, cgroup_skb and lwt programs get.

    A run can set mark, priority, ingress_ifindex, ifindex, cb (five integers), tstamp, wire_len, gso_segs,
    gso_size and hwtstamp.
    """

    structure = "__sk_buff"


class FlowKeys(Context):
    """`struct bpf_flow_keys`: what a flow dissector fills. A run can set `flags` alone."""

    structure = "bpf_flow_keys"


class SkLookup(Context):
    """`struct bpf_sk_lookup`: the addresses of the lookup that an SK_LOOKUP program decides."""

    structure = "bpf_sk_lookup"


class SkReuseport(Context):
    """`struct sk_reuseport_md`: a packet for which a socket of a group is chosen."""

    structure = "sk_reuseport_md"


class LircMode2(Context):
    """What a decoder of infrared signals gets: one sample (linux/lirc.h, LIRC_MODE2_*)."""

    structure = "lirc_mode2"


AnyContext = Context | RawContext
_SIMULATED_CLASSES = (SockAddr, Sock, SockOps, SockOpt, Sysctl, CgroupDevice, SkMsg, SkReuseport)
_BY_STRUCTURE: dict[str, type[Context | RawContext]] = {
    **{kind.structure: kind for kind in (XdpMd, SkBuff, FlowKeys, SkLookup, LircMode2, *_SIMULATED_CLASSES)},
    "pt_regs": PtRegs,
    "bpf_perf_event_data": PerfEventData,
}
_BY_TYPE: dict[ProgType, type[Context | RawContext]] = {ProgType.TRACEPOINT: Record, ProgType.SK_SKB: SkSkb}


@cache
def context_layout(prog_type: ProgType) -> ContextLayout | None:
    """Return what a run of this type takes as context; None where that is no fixed structure."""
    found = run_layout_of(prog_type)
    return layout_of(prog_type) if found is None and prog_type in SIMULATED else found


@cache
def context_class(prog_type: ProgType) -> type[Context | RawContext]:
    """Return the class of the contexts that a test run of this type takes and gives."""
    if prog_type in _BY_TYPE:
        return _BY_TYPE[prog_type]
    structure = context_layout(prog_type)
    return RawContext if structure is None else _BY_STRUCTURE.get(structure.name, RawContext)
