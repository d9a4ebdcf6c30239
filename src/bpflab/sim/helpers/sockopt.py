"""Options of the socket that a program is about, and its binding to an address (net/core/filter.c)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.prog_types import ProgType
from bpflab.abi.sockets import Family
from bpflab.sim.events import Bind
from bpflab.sim.field_context import FieldContext
from bpflab.sim.socket_options import get_option, set_option
from bpflab.sim.sockets import Socket, socket_at
from bpflab.sim.tcp_event import is_locked, syn_header, wants_syn

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment

IPV4_SIZE: Final = 16
"""sizeof(struct sockaddr_in)."""
IPV6_SIZE: Final = 24
"""The least that inet6_bind takes (SIN6_LEN_RFC2133): an address without its scope."""


def setsockopt(env: Environment, bpf_socket: object, level: int, optname: int, optval: bytes, optlen: int) -> int:
    """Set an option of the socket, one of those that the kernel lets programs set."""
    del optlen
    sock = _socket(env, bpf_socket)
    if isinstance(sock, int):
        return sock
    return set_option(env.kernel.world, sock, (level, optname), optval, env.kernel.memory.order)


def getsockopt(env: Environment, bpf_socket: object, level: int, optname: int, optval: Buffer, optlen: int) -> int:
    """Read an option of the socket; what is left of the buffer becomes zero, all of it after an error."""
    sock = _socket(env, bpf_socket)
    if isinstance(sock, int):
        optval.fill(b"")
        return sock
    if env.program.type is ProgType.SOCK_OPS and wants_syn(level, optname):
        found = syn_header(sock, optname)
        optval.fill(found if isinstance(found, bytes) else b"")
        return found if isinstance(found, int) else -Errno.ENOSPC if len(found) > optlen else len(found)
    answer = get_option(sock, (level, optname), optlen, env.kernel.memory.order)
    optval.fill(answer if isinstance(answer, bytes) else b"")
    return 0 if isinstance(answer, bytes) else answer


def bind(env: Environment, ctx: FieldContext, addr: bytes, addr_len: int) -> int:
    """Bind the socket to the address that it will connect from; the event Bind tells of it."""
    if addr_len < 2:
        return -Errno.EINVAL
    family = int.from_bytes(addr[:2], env.kernel.memory.order)
    port, sock = int.from_bytes(addr[2:4], "big"), ctx.socket
    if family not in {Family.INET, Family.INET6}:
        return -Errno.EAFNOSUPPORT
    if addr_len < (IPV4_SIZE if family == Family.INET else IPV6_SIZE):
        return -Errno.EINVAL
    address = ipaddress.ip_address(addr[4:8] if family == Family.INET else addr[8:24])
    if sock is None or sock.family != family or sock.local[1]:
        return -Errno.EAFNOSUPPORT if sock is not None and sock.family != family else -Errno.EINVAL
    sock.local = address, port
    env.kernel.world.record(Bind(env.running.name, str(address), port))
    return 0


def _socket(env: Environment, given: object) -> Socket | int:
    """Return the socket that an option is of: that of the context, or one that the program points to."""
    if isinstance(given, FieldContext):
        if given.layout.name == "bpf_sock_ops" and not is_locked(given):
            return -Errno.EOPNOTSUPP
        return given.socket or -Errno.EINVAL
    found = socket_at(env.kernel.memory, given) if isinstance(given, int) else None
    return found or -Errno.EINVAL
