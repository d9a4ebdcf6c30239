"""What an ELF section's name says of the programs in it, as libbpf reads it.

From the program types page of libbpf's documentation (docs.kernel.org/bpf/libbpf/program_types.html).
A leading `?` means: do not load this program unless asked to.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from bpflab.abi.attach_types import AttachType as A
from bpflab.abi.prog_types import ProgType as P


@dataclass(frozen=True, slots=True)
class SectionRule:
    """A name, or with `target` a name that `/target` may follow, and the programs it stands for.

    `attach` is the expected attach type, None where the type of program has none. `sleepable` and
    `xdp_frags` ask for the program flags of these names.
    """

    name: str
    type: P
    attach: A | None = None
    target: bool = False
    sleepable: bool = False
    xdp_frags: bool = False

    def matches(self, section: str) -> bool:
        """Say whether a section, without a leading `?`, bears this name."""
        return section == self.name or (self.target and section.startswith(f"{self.name}/"))

    def attach_to(self, section: str) -> str | None:
        """Give what follows the name's slash: a function, tracepoint or hook; None if nothing does."""
        return section[len(self.name) + 1 :] or None if self.target else None


RULES: Final = (
    SectionRule("socket", P.SOCKET_FILTER),
    SectionRule("sk_reuseport/migrate", P.SK_REUSEPORT, A.SK_REUSEPORT_SELECT_OR_MIGRATE),
    SectionRule("sk_reuseport", P.SK_REUSEPORT, A.SK_REUSEPORT_SELECT),
    SectionRule("kprobe", P.KPROBE, target=True),
    SectionRule("uprobe", P.KPROBE, target=True),
    SectionRule("uprobe.s", P.KPROBE, target=True, sleepable=True),
    SectionRule("kretprobe", P.KPROBE, target=True),
    SectionRule("uretprobe", P.KPROBE, target=True),
    SectionRule("uretprobe.s", P.KPROBE, target=True, sleepable=True),
    SectionRule("kprobe.multi", P.KPROBE, A.TRACE_KPROBE_MULTI, target=True),
    SectionRule("kretprobe.multi", P.KPROBE, A.TRACE_KPROBE_MULTI, target=True),
    SectionRule("kprobe.session", P.KPROBE, A.TRACE_KPROBE_SESSION, target=True),
    SectionRule("uprobe.multi", P.KPROBE, A.TRACE_UPROBE_MULTI, target=True),
    SectionRule("uretprobe.multi", P.KPROBE, A.TRACE_UPROBE_MULTI, target=True),
    SectionRule("uprobe.session", P.KPROBE, A.TRACE_UPROBE_SESSION, target=True),
    SectionRule("uprobe.multi.s", P.KPROBE, A.TRACE_UPROBE_MULTI, target=True, sleepable=True),
    SectionRule("uretprobe.multi.s", P.KPROBE, A.TRACE_UPROBE_MULTI, target=True, sleepable=True),
    SectionRule("uprobe.session.s", P.KPROBE, A.TRACE_UPROBE_SESSION, target=True, sleepable=True),
    SectionRule("ksyscall", P.KPROBE, target=True),
    SectionRule("kretsyscall", P.KPROBE, target=True),
    SectionRule("usdt", P.KPROBE, target=True),
    SectionRule("usdt.s", P.KPROBE, target=True, sleepable=True),
    SectionRule("tc/ingress", P.SCHED_CLS, A.TCX_INGRESS),
    SectionRule("tc/egress", P.SCHED_CLS, A.TCX_EGRESS),
    SectionRule("tcx/ingress", P.SCHED_CLS, A.TCX_INGRESS),
    SectionRule("tcx/egress", P.SCHED_CLS, A.TCX_EGRESS),
    SectionRule("tc", P.SCHED_CLS),
    SectionRule("classifier", P.SCHED_CLS),
    SectionRule("action", P.SCHED_ACT),
    SectionRule("netkit/primary", P.SCHED_CLS, A.NETKIT_PRIMARY),
    SectionRule("netkit/peer", P.SCHED_CLS, A.NETKIT_PEER),
    SectionRule("tracepoint", P.TRACEPOINT, target=True),
    SectionRule("tp", P.TRACEPOINT, target=True),
    SectionRule("raw_tracepoint", P.RAW_TRACEPOINT, target=True),
    SectionRule("raw_tp", P.RAW_TRACEPOINT, target=True),
    SectionRule("raw_tracepoint.w", P.RAW_TRACEPOINT_WRITABLE, target=True),
    SectionRule("raw_tp.w", P.RAW_TRACEPOINT_WRITABLE, target=True),
    SectionRule("tp_btf", P.TRACING, A.TRACE_RAW_TP, target=True),
    SectionRule("fentry", P.TRACING, A.TRACE_FENTRY, target=True),
    SectionRule("fmod_ret", P.TRACING, A.MODIFY_RETURN, target=True),
    SectionRule("fexit", P.TRACING, A.TRACE_FEXIT, target=True),
    SectionRule("fentry.s", P.TRACING, A.TRACE_FENTRY, target=True, sleepable=True),
    SectionRule("fmod_ret.s", P.TRACING, A.MODIFY_RETURN, target=True, sleepable=True),
    SectionRule("fexit.s", P.TRACING, A.TRACE_FEXIT, target=True, sleepable=True),
    SectionRule("fsession", P.TRACING, A.TRACE_FSESSION, target=True),
    SectionRule("fsession.s", P.TRACING, A.TRACE_FSESSION, target=True, sleepable=True),
    SectionRule("freplace", P.EXT, target=True),
    SectionRule("lsm", P.LSM, A.LSM_MAC, target=True),
    SectionRule("lsm.s", P.LSM, A.LSM_MAC, target=True, sleepable=True),
    SectionRule("lsm_cgroup", P.LSM, A.LSM_CGROUP, target=True),
    SectionRule("iter", P.TRACING, A.TRACE_ITER, target=True),
    SectionRule("iter.s", P.TRACING, A.TRACE_ITER, target=True, sleepable=True),
    SectionRule("syscall", P.SYSCALL, sleepable=True),
    SectionRule("xdp.frags/devmap", P.XDP, A.XDP_DEVMAP, xdp_frags=True),
    SectionRule("xdp/devmap", P.XDP, A.XDP_DEVMAP),
    SectionRule("xdp.frags/cpumap", P.XDP, A.XDP_CPUMAP, xdp_frags=True),
    SectionRule("xdp/cpumap", P.XDP, A.XDP_CPUMAP),
    SectionRule("xdp.frags", P.XDP, A.XDP, xdp_frags=True),
    SectionRule("xdp", P.XDP, A.XDP),
    SectionRule("perf_event", P.PERF_EVENT),
    SectionRule("lwt_in", P.LWT_IN),
    SectionRule("lwt_out", P.LWT_OUT),
    SectionRule("lwt_xmit", P.LWT_XMIT),
    SectionRule("lwt_seg6local", P.LWT_SEG6LOCAL),
    SectionRule("sockops", P.SOCK_OPS, A.CGROUP_SOCK_OPS),
    SectionRule("sk_skb/stream_parser", P.SK_SKB, A.SK_SKB_STREAM_PARSER),
    SectionRule("sk_skb/stream_verdict", P.SK_SKB, A.SK_SKB_STREAM_VERDICT),
    SectionRule("sk_skb/verdict", P.SK_SKB, A.SK_SKB_VERDICT),
    SectionRule("sk_skb", P.SK_SKB),
    SectionRule("sk_msg", P.SK_MSG, A.SK_MSG_VERDICT),
    SectionRule("lirc_mode2", P.LIRC_MODE2, A.LIRC_MODE2),
    SectionRule("flow_dissector", P.FLOW_DISSECTOR, A.FLOW_DISSECTOR),
    SectionRule("cgroup_skb/ingress", P.CGROUP_SKB, A.CGROUP_INET_INGRESS),
    SectionRule("cgroup_skb/egress", P.CGROUP_SKB, A.CGROUP_INET_EGRESS),
    SectionRule("cgroup/skb", P.CGROUP_SKB),
    SectionRule("cgroup/sock_create", P.CGROUP_SOCK, A.CGROUP_INET_SOCK_CREATE),
    SectionRule("cgroup/sock_release", P.CGROUP_SOCK, A.CGROUP_INET_SOCK_RELEASE),
    SectionRule("cgroup/sock", P.CGROUP_SOCK, A.CGROUP_INET_SOCK_CREATE),
    SectionRule("cgroup/post_bind4", P.CGROUP_SOCK, A.CGROUP_INET4_POST_BIND),
    SectionRule("cgroup/post_bind6", P.CGROUP_SOCK, A.CGROUP_INET6_POST_BIND),
    SectionRule("cgroup/bind4", P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_BIND),
    SectionRule("cgroup/bind6", P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_BIND),
    SectionRule("cgroup/connect4", P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT),
    SectionRule("cgroup/connect6", P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_CONNECT),
    SectionRule("cgroup/connect_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_CONNECT),
    SectionRule("cgroup/sendmsg4", P.CGROUP_SOCK_ADDR, A.CGROUP_UDP4_SENDMSG),
    SectionRule("cgroup/sendmsg6", P.CGROUP_SOCK_ADDR, A.CGROUP_UDP6_SENDMSG),
    SectionRule("cgroup/sendmsg_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_SENDMSG),
    SectionRule("cgroup/recvmsg4", P.CGROUP_SOCK_ADDR, A.CGROUP_UDP4_RECVMSG),
    SectionRule("cgroup/recvmsg6", P.CGROUP_SOCK_ADDR, A.CGROUP_UDP6_RECVMSG),
    SectionRule("cgroup/recvmsg_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_RECVMSG),
    SectionRule("cgroup/getpeername4", P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_GETPEERNAME),
    SectionRule("cgroup/getpeername6", P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_GETPEERNAME),
    SectionRule("cgroup/getpeername_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_GETPEERNAME),
    SectionRule("cgroup/getsockname4", P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_GETSOCKNAME),
    SectionRule("cgroup/getsockname6", P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_GETSOCKNAME),
    SectionRule("cgroup/getsockname_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_GETSOCKNAME),
    SectionRule("cgroup/sysctl", P.CGROUP_SYSCTL, A.CGROUP_SYSCTL),
    SectionRule("cgroup/getsockopt", P.CGROUP_SOCKOPT, A.CGROUP_GETSOCKOPT),
    SectionRule("cgroup/setsockopt", P.CGROUP_SOCKOPT, A.CGROUP_SETSOCKOPT),
    SectionRule("cgroup/dev", P.CGROUP_DEVICE, A.CGROUP_DEVICE),
    SectionRule("struct_ops", P.STRUCT_OPS, target=True),
    SectionRule("struct_ops.s", P.STRUCT_OPS, target=True, sleepable=True),
    SectionRule("sk_lookup", P.SK_LOOKUP, A.SK_LOOKUP),
    SectionRule("netfilter", P.NETFILTER, A.NETFILTER),
)


def rule_for(section: str) -> SectionRule | None:
    """Find the rule for a section's programs; None if libbpf's names do not cover it."""
    name = section.removeprefix("?")
    return next((rule for rule in RULES if rule.matches(name)), None)


def why_unknown(section: str) -> str:
    """Explain a section that no rule covers, with the nearest names there are."""
    close = get_close_matches(section.removeprefix("?"), [rule.name for rule in RULES], n=3, cutoff=0.5)
    hint = f" Similar names: {', '.join(close)}." if close else ""
    return f"The section name {section!r} does not say what type of program it holds.{hint}"
