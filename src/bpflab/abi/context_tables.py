"""The structures that programs get as context, as text; `context` reads it.

A member is written `name:type[count]@offset`. Types are u8 to u64, s32, be16 and be32 (network byte
order), net16 (a 16-bit number in network byte order in the low half of a u32) and ptr (8 bytes, in
every ABI). Without `@offset` a member follows the one before it, aligned to its size; unions and
holes have offsets. A `+` after the name: a test run may set it (net/bpf/test_run.c).
Sources: linux/bpf.h, linux/bpf_perf_event.h, linux/netfilter_bpf.h.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping

STRUCTURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "xdp_md": """
            data+:u32 data_end+:u32 data_meta:u32 ingress_ifindex+:u32 rx_queue_index+:u32 egress_ifindex:u32
        """,
        "__sk_buff": """
            len:u32 pkt_type:u32 mark+:u32 queue_mapping:u32 protocol:net16 vlan_present:u32 vlan_tci:u32
            vlan_proto:net16 priority+:u32 ingress_ifindex+:u32 ifindex+:u32 tc_index:u32 cb+:u32[5] hash:u32
            tc_classid:u32 data:u32 data_end:u32 napi_id:u32 family:u32 remote_ip4:be32 local_ip4:be32
            remote_ip6:be32[4] local_ip6:be32[4] remote_port:be32 local_port:u32 data_meta:u32 flow_keys:ptr
            tstamp+:u64 wire_len+:u32 gso_segs+:u32 sk:ptr gso_size+:u32 tstamp_type:u8 hwtstamp+:u64
        """,
        "bpf_flow_keys": """
            nhoff:u16 thoff:u16 addr_proto:u16 is_frag:u8 is_first_frag:u8 is_encap:u8 ip_proto:u8
            n_proto:be16 sport:be16 dport:be16 ipv4_src:be32 ipv4_dst:be32 ipv6_src:be32[4]@16
            ipv6_dst:be32[4] flags+:u32 flow_label:be32
        """,
        "bpf_sk_lookup": """
            sk:ptr cookie:u64@0 family+:u32 protocol+:u32 remote_ip4+:be32 remote_ip6+:be32[4]
            remote_port+:be16 local_ip4+:be32 local_ip6+:be32[4] local_port+:u32 ingress_ifindex:u32
        """,
        "bpf_sock": """
            bound_dev_if:u32 family:u32 type:u32 protocol:u32 mark:u32 priority:u32 src_ip4:be32
            src_ip6:be32[4] src_port:u32 dst_port:be16 dst_ip4:be32 dst_ip6:be32[4] state:u32
            rx_queue_mapping:s32
        """,
        "bpf_tcp_sock": """
            snd_cwnd:u32 srtt_us:u32 rtt_min:u32 snd_ssthresh:u32 rcv_nxt:u32 snd_nxt:u32 snd_una:u32
            mss_cache:u32 ecn_flags:u32 rate_delivered:u32 rate_interval_us:u32 packets_out:u32
            retrans_out:u32 total_retrans:u32 segs_in:u32 data_segs_in:u32 segs_out:u32 data_segs_out:u32
            lost_out:u32 sacked_out:u32 bytes_received:u64 bytes_acked:u64 dsack_dups:u32 delivered:u32
            delivered_ce:u32 icsk_retransmits:u32
        """,
        "bpf_sock_addr": """
            user_family:u32 user_ip4:be32 user_ip6:be32[4] user_port:net16 family:u32 type:u32 protocol:u32
            msg_src_ip4:be32 msg_src_ip6:be32[4] sk:ptr
        """,
        "bpf_sock_ops": """
            op:u32 args:u32[4] reply:u32@4 replylong:u32[4]@4 family:u32 remote_ip4:be32 local_ip4:be32
            remote_ip6:be32[4] local_ip6:be32[4] remote_port:be32 local_port:u32 is_fullsock:u32 snd_cwnd:u32
            srtt_us:u32 bpf_sock_ops_cb_flags:u32 state:u32 rtt_min:u32 snd_ssthresh:u32 rcv_nxt:u32
            snd_nxt:u32 snd_una:u32 mss_cache:u32 ecn_flags:u32 rate_delivered:u32 rate_interval_us:u32
            packets_out:u32 retrans_out:u32 total_retrans:u32 segs_in:u32 data_segs_in:u32 segs_out:u32
            data_segs_out:u32 lost_out:u32 sacked_out:u32 sk_txhash:u32 bytes_received:u64 bytes_acked:u64
            sk:ptr skb_data:ptr skb_data_end:ptr skb_len:u32 skb_tcp_flags:u32 skb_hwtstamp:u64
        """,
        "sk_msg_md": """
            data:ptr data_end:ptr family:u32 remote_ip4:be32 local_ip4:be32 remote_ip6:be32[4]
            local_ip6:be32[4] remote_port:be32 local_port:u32 size:u32 sk:ptr
        """,
        "sk_reuseport_md": """
            data:ptr data_end:ptr len:u32 eth_protocol:net16 ip_protocol:u32 bind_inany:u32 hash:u32 sk:ptr
            migrating_sk:ptr
        """,
        "bpf_sysctl": "write:u32 file_pos:u32",
        "bpf_sockopt": "sk:ptr optval:ptr optval_end:ptr level:s32 optname:s32 optlen:s32 retval:s32",
        "bpf_cgroup_dev_ctx": "access_type:u32 major:u32 minor:u32",
        "bpf_nf_ctx": "state:ptr skb:ptr",
        "nf_hook_state": "hook+:u8 pf+:u8 in:ptr out:ptr sk:ptr net:ptr okfn:ptr",
        "bpf_raw_tracepoint_args": "args+:u64[12]",
        "lirc_mode2": "sample:u32",
    }
)
"""Members of each structure, in order.

`args` of bpf_raw_tracepoint_args has no length in C; the verifier lets programs read twelve.
lirc_mode2 has no name in C: the context is a pointer to one sample.
"""

BESIDE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bpf_sock_addr": "retval:s32 path_length:u32 path:u8[108]",
        **dict.fromkeys(("bpf_sock", "bpf_sysctl", "bpf_cgroup_dev_ctx"), "retval:s32"),
        "bpf_sock_ops": "remaining_opt_len:u32",
        "sk_msg_md": "apply_bytes:u32 cork_bytes:u32",
    }
)
"""What the simulated kernel's contexts have behind the structure, for a test to give and read; no program sees it.

`path` is the address of a unix socket, `retval` what the system call returns (get_retval, set_retval),
`remaining_opt_len` the bytes of TCP options that are still free, the others what msg_apply_bytes and msg_cork_bytes
were told.
"""

_CONTEXT_NAMES = {
    "__sk_buff": (
        "SOCKET_FILTER SCHED_CLS SCHED_ACT CGROUP_SKB LWT_IN LWT_OUT LWT_XMIT LWT_SEG6LOCAL SK_SKB FLOW_DISSECTOR"
    ),
    "xdp_md": "XDP",
    "bpf_sock": "CGROUP_SOCK",
    "bpf_sock_ops": "SOCK_OPS",
    "bpf_cgroup_dev_ctx": "CGROUP_DEVICE",
    "sk_msg_md": "SK_MSG",
    "bpf_sock_addr": "CGROUP_SOCK_ADDR",
    "sk_reuseport_md": "SK_REUSEPORT",
    "bpf_sysctl": "CGROUP_SYSCTL",
    "bpf_sockopt": "CGROUP_SOCKOPT",
    "bpf_sk_lookup": "SK_LOOKUP",
    "bpf_nf_ctx": "NETFILTER",
    "bpf_raw_tracepoint_args": "RAW_TRACEPOINT RAW_TRACEPOINT_WRITABLE TRACING LSM STRUCT_OPS",
    "lirc_mode2": "LIRC_MODE2",
    "pt_regs": "KPROBE",
    "bpf_perf_event_data": "PERF_EVENT",
}

_RUN_NAMES = {
    "__sk_buff": "SOCKET_FILTER SCHED_CLS SCHED_ACT CGROUP_SKB LWT_IN LWT_OUT LWT_XMIT",
    "xdp_md": "XDP",
    "bpf_flow_keys": "FLOW_DISSECTOR",
    "bpf_sk_lookup": "SK_LOOKUP",
    "nf_hook_state": "NETFILTER",
    "bpf_raw_tracepoint_args": "RAW_TRACEPOINT",
}


def _by_type(names: Mapping[str, str]) -> Mapping[ProgType, str]:
    pairs = ((ProgType[word], name) for name, words in names.items() for word in words.split())
    return MappingProxyType(dict(pairs))


CONTEXT_OF_TYPE: Final = _by_type(_CONTEXT_NAMES)
"""The structure that R1 points to when a program of a type starts; absent where it is not fixed."""

RUN_CONTEXT_OF_TYPE: Final = _by_type(_RUN_NAMES)
"""The structure that `ctx_in` of PROG_TEST_RUN holds, by program type; absent where there is none."""

PT_REGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "x86_64": ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss :u64"),
        "arm64": " ".join(f"x{n}" for n in range(31)) + " sp pc pstate :u64",
        "riscv64": (
            "pc ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6 :u64"
        ),
        "s390x": "args psw_mask psw_addr " + " ".join(f"r{n}" for n in range(16)) + " :u64",
        "ppc64le": (
            " ".join(f"r{n}" for n in range(32))
            + " nip msr orig_gpr3 ctr link xer ccr softe trap dar dsisr result :u64"
        ),
        "armhf": " ".join(f"r{n}" for n in range(13)) + " sp lr pc cpsr orig_r0 :u32",
    }
)
"""The registers of `bpf_user_pt_regs_t`, from asm/ptrace.h of each architecture, and their type."""
