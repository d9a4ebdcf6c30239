"""Pointers to sockets: which fields may be read, and which helpers pass on what they hold.

After check_sock_access and is_ptr_cast_function in kernel/bpf/verifier.c, bpf_sock_is_valid_access and its like in
net/core/filter.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.context import layout
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import Value, of_width

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.obj.btf import Btf
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.extent import Access
    from bpflab.sim.check.state import State

SOCK: Final = layout("bpf_sock")
TCP_SOCK: Final = layout("bpf_tcp_sock")
WORD: Final = 4
XDP_SOCK_SIZE: Final = 4
"""`struct bpf_xdp_sock` is one number, the queue."""
WHOLE: Final = frozenset({"bound_dev_if", "mark", "priority"})
"""Fields of `struct bpf_sock` that are read whole; the others also in part, from their first byte on."""
ADDRESSES: Final = frozenset({"src_ip4", "src_ip6", "dst_ip4", "dst_ip6"})
"""Fields of which any aligned part may be read."""
NOT_COMMON: Final = frozenset({"type", "protocol", "mark", "priority"})
"""Fields that not every socket has."""
CASTS: Final = frozenset(
    {
        *("tcp_sock", "sk_fullsock", "skc_to_tcp_sock", "skc_to_tcp6_sock", "skc_to_udp6_sock", "skc_to_mptcp_sock"),
        *("skc_to_tcp_timewait_sock", "skc_to_tcp_request_sock"),
    }
)
"""Helpers whose result is the socket that they are given, held or not as that was."""


def struct_id(btf: Btf | None, name: str) -> int:
    """Return the id of a structure of the kernel; 0 where its types are not known."""
    return (btf.find(name, BtfKind.STRUCT) or 0) if btf is not None else 0


def access_socket(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    """Check a read of a socket's field."""
    if wanted.write:
        checker.refuse(f"R{wanted.reg} cannot write into {pointer.type_name}")
    off, size = pointer.off + wanted.off, wanted.size
    if off < 0 or off % size or not _ALLOWED[pointer.kind](off, size):
        checker.refuse(f"R{wanted.reg} invalid {pointer.type_name} access off={off} size={size}")
    return of_width(size)


def _sock(off: int, size: int) -> bool:
    field = SOCK.at(off) if off < SOCK.size else None
    if field is None or field.name in WHOLE:
        return field is not None and size == WORD
    if field.name == "dst_port":
        return size in {1, 2, WORD}
    within = off + size <= field.end and size <= WORD
    return within and (field.name in ADDRESSES or off == field.offset)


def _common(off: int, size: int) -> bool:
    field = SOCK.at(off) if off < SOCK.size else None
    return field is not None and field.name not in NOT_COMMON and _sock(off, size)


def _tcp(off: int, size: int) -> bool:
    field = TCP_SOCK.at(off) if off < TCP_SOCK.field("icsk_retransmits").end else None
    return field is not None and (off, size) == (field.offset, field.size)


def _xdp(off: int, size: int) -> bool:
    return off < XDP_SOCK_SIZE and size == WORD


_ALLOWED: Final[dict[Kind, Callable[[int, int], bool]]] = {
    Kind.SOCKET: _sock,
    Kind.SOCK_COMMON: _common,
    Kind.TCP_SOCK: _tcp,
    Kind.XDP_SOCK: _xdp,
}
