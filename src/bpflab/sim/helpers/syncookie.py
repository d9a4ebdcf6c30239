"""SYN cookies for programs: with a listener, and raw (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.sockets import Family, SocketProtocol, SocketState
from bpflab.sim import syncookies
from bpflab.sim.helpers.sockets import socket_of

if TYPE_CHECKING:
    from bpflab.sim.sockets import Socket
    from bpflab.sim.test_run import Environment

FIN, SYN, RST, ACK = 1, 2, 4, 16
"""Flags in byte 13 of a TCP header."""
ALWAYS: Final = 2
"""net.ipv4.tcp_syncookies when cookies are made whether or not the queue of requests is full."""


def tcp_raw_gen_syncookie_ipv4(env: Environment, iph: bytes, th: bytes, th_len: int) -> int:
    """Make a cookie for a SYN over IPv4."""
    return _raw(env, syncookies.IPV4, iph, th, th_len)


def tcp_raw_gen_syncookie_ipv6(env: Environment, iph: bytes, th: bytes, th_len: int) -> int:
    """Make a cookie for a SYN over IPv6."""
    return _raw(env, syncookies.IPV6, iph, th, th_len)


def tcp_raw_check_syncookie_ipv4(env: Environment, iph: bytes, th: bytes) -> int:
    """Tell whether an ACK over IPv4 answers to a cookie."""
    return 0 if syncookies.check(syncookies.IPV4, iph, th, env.kernel.clock.now) else -Errno.EACCES


def tcp_raw_check_syncookie_ipv6(env: Environment, iph: bytes, th: bytes) -> int:
    """Tell whether an ACK over IPv6 answers to a cookie."""
    return 0 if syncookies.check(syncookies.IPV6, iph, th, env.kernel.clock.now) else -Errno.EACCES


def tcp_gen_syncookie(env: Environment, sk: int, iph: bytes, iph_len: int, th: bytes, th_len: int) -> int:
    """Make a cookie for a SYN to a listener that is to send cookies."""
    listener, setting = socket_of(env, sk), env.kernel.world.tcp_syncookies
    if th_len < syncookies.TCP_HEADER or th_len != _length(th) or not _listens(listener):
        return -Errno.EINVAL
    if not setting:
        return -Errno.ENOENT
    if th[13] & (SYN | ACK | FIN | RST) != SYN:
        return -Errno.EINVAL
    protocol = _protocol(listener, iph, iph_len)
    if not isinstance(protocol, syncookies.Protocol):
        return -protocol
    if setting != ALWAYS and not listener.syn_flood:
        return -Errno.ENOENT
    listener.cookies_sent = env.kernel.clock.now
    return _answer(env, protocol, iph, th)


def tcp_check_syncookie(env: Environment, sk: int, iph: bytes, iph_len: int, th: bytes, th_len: int) -> int:
    """Tell whether an ACK answers to a cookie of a listener that sent cookies lately."""
    listener, now = socket_of(env, sk), env.kernel.clock.now
    if th_len < syncookies.TCP_HEADER or not _listens(listener) or not env.kernel.world.tcp_syncookies:
        return -Errno.EINVAL
    if th[13] & (ACK | RST | SYN) != ACK:
        return -Errno.ENOENT
    if iph_len < syncookies.IPV4.header:
        return -Errno.EINVAL
    sent = listener.cookies_sent
    if sent is None or now - sent > syncookies.MAX_AGE * syncookies.PERIOD_NS:
        return -Errno.ENOENT
    protocol = _protocol(listener, iph, iph_len)
    if not isinstance(protocol, syncookies.Protocol):
        return -protocol
    return 0 if syncookies.check(protocol, iph, th, now) else -Errno.ENOENT


def _raw(env: Environment, protocol: syncookies.Protocol, ip: bytes, tcp: bytes, size: int) -> int:
    if size < syncookies.TCP_HEADER or size != _length(tcp):
        return -Errno.EINVAL
    return _answer(env, protocol, ip, tcp)


def _answer(env: Environment, protocol: syncookies.Protocol, ip: bytes, tcp: bytes) -> int:
    cookie, size = syncookies.make(protocol, ip, tcp, env.kernel.clock.now)
    return cookie | size << 32


def _length(tcp: bytes) -> int:
    return (tcp[12] >> 4) * 4


def _listens(sock: Socket) -> bool:
    return sock.protocol == SocketProtocol.TCP and sock.state == SocketState.LISTEN


def _protocol(listener: Socket, ip: bytes, size: int) -> syncookies.Protocol | Errno:
    """Return what the IP header is of, or the error for one that the listener does not take."""
    if size < syncookies.IPV4.header:
        return Errno.EINVAL
    version, wide = ip[0] >> 4, listener.family == Family.INET6
    if version == 4:
        return Errno.EINVAL if wide and listener.v6only else syncookies.IPV4
    if version == 6:
        return Errno.EINVAL if size < syncookies.IPV6.header or not wide else syncookies.IPV6
    return Errno.EPROTONOSUPPORT
