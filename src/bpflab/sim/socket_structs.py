"""Sockets as structures of the kernel, laid out by its BTF: what the casts skc_to_* give.

The fields that every socket has are filled from the socket, those of `struct tcp_sock` from its `tcp`. A test gives the
others by a structure of its own: `socket.structs["tcp_sock"] = world.struct("tcp_sock", ...)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.sim.sockets import Socket
    from bpflab.sim.world import World

COMMON: Final[Mapping[str, str]] = {
    "tcp_sock": "inet_conn.icsk_inet.sk.__sk_common.",
    "tcp6_sock": "tcp.inet_conn.icsk_inet.sk.__sk_common.",
    "udp6_sock": "udp.inet.sk.__sk_common.",
    "unix_sock": "sk.__sk_common.",
    "mptcp_sock": "sk.icsk_inet.sk.__sk_common.",
    "tcp_timewait_sock": "tw_sk.__tw_common.",
    "tcp_request_sock": "req.req.__req_common.",
}
"""Where `struct sock_common` is within each structure."""
TCP_FIELDS: Final = frozenset(
    {
        *("snd_cwnd", "srtt_us", "snd_ssthresh", "rcv_nxt", "snd_nxt", "snd_una", "mss_cache", "ecn_flags"),
        *("packets_out", "retrans_out", "total_retrans", "segs_in", "data_segs_in", "segs_out", "data_segs_out"),
        *("lost_out", "sacked_out", "bytes_received", "bytes_acked", "dsack_dups", "delivered", "delivered_ce"),
    }
)
"""Fields that `struct bpf_tcp_sock` and `struct tcp_sock` have by the same name."""


def struct_of(world: World, sock: Socket, name: str) -> int:
    """Return the address of a socket's structure, made when it is first asked for."""
    if name not in sock.structs:
        made = world.struct(name)
        made.forgive()
        made.fill(_values(sock, name))
        sock.structs[name] = made
    found = sock.structs[name]
    region = world.memory.find(found.address)
    if region is not None:
        region.owner = sock
    return found.address


def _values(sock: Socket, name: str) -> dict[str, object]:
    common = {
        "skc_family": sock.family,
        "skc_state": sock.state,
        "skc_bound_dev_if": sock.ifindex,
        "skc_num": sock.local[1],
        "skc_dport": sock.remote[1].to_bytes(2, "big"),
    }
    for field, address in (("rcv_saddr", sock.local[0]), ("daddr", sock.remote[0])):
        mapped = sock.ipv4(address)
        common[f"skc_{field}"] = mapped.packed if mapped is not None else bytes(4)
        if address.version == 6:
            common[f"skc_v6_{field}"] = {"in6_u.u6_addr8": address.packed}
    values: dict[str, object] = {COMMON[name] + key: value for key, value in common.items()}
    prefix = {"tcp_sock": "", "tcp6_sock": "tcp."}.get(name)
    if prefix is not None:
        values |= {prefix + key: value for key, value in sock.tcp.items() if key in TCP_FIELDS}
    return values
