"""A TCP segment under the eyes of a SOCK_OPS program: its header, its options, the room for more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.socket_options import SAVED_SYN, SYN_HEADERS, Level
from bpflab.abi.tcp_events import LAST_LOCKED, LONGEST_TCP_HEADER, TCP_HEADER, SockOp, TcpOption
from bpflab.errors import InputError
from bpflab.sim.memory import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.sockets import Socket

DATA_OFFSET: Final = 12
"""Where a TCP header has its own length, in words, in the upper four bits."""


class Segment:
    """A segment from its TCP header on. `end` is how far the program sees; `room` the bytes that it may still write."""

    def __init__(self, scope: Scope, data: bytes, op: int, room: int) -> None:
        header = header_length(data)
        self.writes = op == SockOp.WRITE_HDR_OPT_CB
        self.room = room
        self.behind = data[header:]
        self.buffer = bytearray(data)
        if self.writes:
            grown = header + room + -(header + room) % 4
            if grown > LONGEST_TCP_HEADER:
                raise InputError(
                    f"remaining_opt_len={room} for a TCP header of {header} bytes; it has {LONGEST_TCP_HEADER} at most."
                )
            self.buffer = bytearray(data[:header]) + bytes([TcpOption.NOP] * (grown - header))
            self.buffer[DATA_OFFSET] = self.buffer[DATA_OFFSET] & 0x0F | grown // 4 << 4
        self.end = 0 if op == SockOp.HDR_OPT_LEN_CB else header
        self.region = scope.add(RegionKind.PACKET, self.buffer, name="skb_data")
        self.region.high = self.end

    def append(self, option: bytes, context: FieldContext) -> None:
        """Write an option behind the others."""
        self.buffer[self.end : self.end + len(option)] = option
        self.end += len(option)
        self.region.high = self.end
        context["skb_data_end"] = self.region.address + self.end

    @property
    def options(self) -> bytes:
        """The options that the program sees."""
        return bytes(self.buffer[TCP_HEADER : self.end])

    def content(self) -> bytes:
        """Return the segment as it is now."""
        return bytes(self.buffer) + (self.behind if self.writes else b"")


def header_length(data: bytes) -> int:
    """Return the length of a TCP header; InputError for what is none."""
    says = (data[DATA_OFFSET] >> 4) * 4 if len(data) >= TCP_HEADER else 0
    if not TCP_HEADER <= says <= len(data):
        raise InputError(
            f"{len(data)} bytes whose TCP header says that it has {says}; a SOCK_OPS program is given a "
            "segment from its TCP header on, without Ethernet and IP headers."
        )
    return says


def find_option(options: bytes, kind: int, magic: bytes) -> bytes | int:
    """Return an option by its kind and, of experiments, what it begins with (bpf_search_tcp_opt).

    -ENOMSG when it is not there, -ENODATA when the list ends before it, -EFAULT for a list that is broken.
    """
    at = 0
    while at < len(options):
        rest = options[at:]
        if rest[0] == TcpOption.EOL:
            return -Errno.ENODATA
        if rest[0] == TcpOption.NOP:
            at += 1
            continue
        if len(rest) < 2 or rest[1] < 2 or len(rest) < rest[1]:
            return -Errno.EFAULT
        if rest[0] == kind:
            if len(magic) > rest[1] - 2:
                return -Errno.ENOMSG
            if rest[2:].startswith(magic):
                return rest[: rest[1]]
        at += rest[1]
    return -Errno.ENOMSG


def is_locked(context: FieldContext) -> bool:
    """Whether the program is called with the socket's lock held (is_locked_tcp_sock_ops)."""
    return context["op"] <= LAST_LOCKED


def wants_syn(level: int, optname: int) -> bool:
    """Whether an option is the connection's SYN."""
    return level == Level.TCP and optname in SYN_HEADERS


def syn_header(sock: Socket, optname: int) -> bytes | int:
    """Return the connection's saved SYN from a header on; -ENOENT without one, or without that header.

    A socket has it as its option TCP_SAVED_SYN, from the IP header on.
    """
    saved = sock.options.get(SAVED_SYN, b"")
    if not saved or SYN_HEADERS[optname] == "mac":
        return -Errno.ENOENT
    start = 40 if saved[0] >> 4 == 6 else (saved[0] & 0xF) * 4
    return saved[start:] if SYN_HEADERS[optname] == "tcp" else saved
