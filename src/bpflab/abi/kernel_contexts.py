"""The kernel's own structure behind the context of a program type (include/linux/bpf_types.h)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping

SKB: Final = "sk_buff"
_OF_SKB: Final = (
    *(ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.SCHED_ACT, ProgType.CGROUP_SKB, ProgType.SK_SKB),
    *(ProgType.LWT_IN, ProgType.LWT_OUT, ProgType.LWT_XMIT, ProgType.LWT_SEG6LOCAL),
)

KERNEL_CONTEXTS: Final[Mapping[ProgType, str]] = MappingProxyType(
    {
        ProgType.XDP: "xdp_buff",
        **dict.fromkeys(_OF_SKB, SKB),
        ProgType.CGROUP_SOCK: "sock",
        ProgType.CGROUP_SOCK_ADDR: "bpf_sock_addr_kern",
        ProgType.CGROUP_DEVICE: "bpf_cgroup_dev_ctx",
        ProgType.CGROUP_SYSCTL: "bpf_sysctl_kern",
        ProgType.CGROUP_SOCKOPT: "bpf_sockopt_kern",
        ProgType.SOCK_OPS: "bpf_sock_ops_kern",
        ProgType.SK_MSG: "sk_msg",
        ProgType.SK_LOOKUP: "bpf_sk_lookup_kern",
        ProgType.SK_REUSEPORT: "sk_reuseport_kern",
        ProgType.FLOW_DISSECTOR: "bpf_flow_dissector",
        ProgType.PERF_EVENT: "bpf_perf_event_data_kern",
        ProgType.NETFILTER: "bpf_nf_ctx",
        ProgType.KPROBE: "pt_regs",
    }
)
"""Types that are not here give their programs no structure of that kind."""
