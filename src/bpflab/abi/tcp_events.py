"""What a SOCK_OPS program is called for, and what it may see then (linux/bpf.h, net/core/filter.c)."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final


class SockOp(IntEnum):
    """Why the program is called: `op` of `struct bpf_sock_ops` (BPF_SOCK_OPS_*)."""

    VOID = 0
    TIMEOUT_INIT = 1
    RWND_INIT = 2
    TCP_CONNECT_CB = 3
    ACTIVE_ESTABLISHED_CB = 4
    PASSIVE_ESTABLISHED_CB = 5
    NEEDS_ECN = 6
    BASE_RTT = 7
    RTO_CB = 8
    RETRANS_CB = 9
    STATE_CB = 10
    TCP_LISTEN_CB = 11
    RTT_CB = 12
    PARSE_HDR_OPT_CB = 13
    HDR_OPT_LEN_CB = 14
    WRITE_HDR_OPT_CB = 15
    TSTAMP_SCHED_CB = 16
    TSTAMP_SND_SW_CB = 17
    TSTAMP_SND_HW_CB = 18
    TSTAMP_ACK_CB = 19
    TSTAMP_SENDMSG_CB = 20


class SockOpsFlag(IntFlag):
    """Events of a connection that call the program again (BPF_SOCK_OPS_*_CB_FLAG)."""

    RTO = 1
    RETRANS = 2
    STATE = 4
    RTT = 8
    PARSE_ALL_HDR_OPT = 16
    PARSE_UNKNOWN_HDR_OPT = 32
    WRITE_HDR_OPT = 64


LAST_LOCKED: Final = SockOp.WRITE_HDR_OPT_CB
"""Later ones are called without the socket's lock: they see no numbers of TCP and set nothing."""
LOCKED_FIELDS: Final = (
    *("snd_cwnd", "srtt_us", "bpf_sock_ops_cb_flags", "snd_ssthresh", "rcv_nxt", "snd_nxt", "snd_una", "mss_cache"),
    *("ecn_flags", "rate_delivered", "rate_interval_us", "packets_out", "retrans_out", "total_retrans", "segs_in"),
    *("data_segs_in", "segs_out", "data_segs_out", "lost_out", "sacked_out", "sk_txhash", "bytes_received"),
    "bytes_acked",
)
"""Fields that are 0 unless the socket is a full one, and locked."""

TCP_HEADER: Final = 20
"""Bytes of a TCP header without options."""
LONGEST_TCP_HEADER: Final = 60
FLAGS_AT: Final = 13
"""Where a TCP header has its flags."""


class TcpOption(IntEnum):
    """Kinds of TCP options that are treated apart (net/tcp.h)."""

    EOL = 0
    NOP = 1
    EXPERIMENT_1 = 253
    EXPERIMENT_2 = 254


LOAD_SYN: Final = 1
"""Flag of load_hdr_opt: search the saved SYN (BPF_LOAD_HDR_OPT_TCP_SYN)."""
