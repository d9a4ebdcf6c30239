"""SOCK_OPS programs: options of a TCP header, and the events that are asked for (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.socket_options import ALL_CB_FLAGS, CB_FLAGS
from bpflab.abi.tcp_events import LOAD_SYN, TCP_HEADER, SockOp, TcpOption
from bpflab.sim.tcp_event import Segment, find_option, is_locked, syn_header

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.test_run import Environment

WITHOUT_LENGTH: Final = frozenset({TcpOption.EOL, TcpOption.NOP})
EXPERIMENTS: Final = frozenset({TcpOption.EXPERIMENT_1, TcpOption.EXPERIMENT_2})
LEAST: Final = 2
"""Bytes of the shortest option with a length."""
MAGIC: Final = (4, 6)
"""Lengths of a search for an experiment: kind, length, and two or four bytes of its magic number."""
SYN_FROM_TCP: Final = 1005


def sock_ops_cb_flags_set(env: Environment, bpf_sock: FieldContext, argval: int) -> int:
    """Choose the events that call the program; gives the bits that the kernel does not know."""
    del env
    if not is_locked(bpf_sock):
        return -Errno.EOPNOTSUPP
    if not bpf_sock["is_fullsock"]:
        return -Errno.EINVAL
    known = argval & ALL_CB_FLAGS
    bpf_sock["bpf_sock_ops_cb_flags"] = known
    if bpf_sock.socket is not None:
        bpf_sock.socket.options[CB_FLAGS] = known.to_bytes(4, "little")
    return argval & ~ALL_CB_FLAGS


def load_hdr_opt(env: Environment, skops: FieldContext, searchby_res: Buffer, len: int, flags: int) -> int:
    """Find an option of the segment, or of the saved SYN, and copy it; gives its length."""
    del env
    if not is_locked(skops):
        return -Errno.EOPNOTSUPP
    wanted = searchby_res.read()
    if len < LEAST or flags & ~LOAD_SYN or wanted[1] > len or wanted[0] in WITHOUT_LENGTH:
        return -Errno.EINVAL
    experiment = wanted[0] in EXPERIMENTS
    if wanted[1] not in (MAGIC if experiment else (0,)):
        return -Errno.EINVAL
    options = _options(skops, syn=bool(flags & LOAD_SYN))
    if isinstance(options, int):
        return options
    found = find_option(options, wanted[0], wanted[2 : wanted[1]] if experiment else b"")
    if isinstance(found, int):
        return -Errno.ENOMSG if found == -Errno.ENODATA else found
    searchby_res.write(found[:len])
    return -Errno.ENOSPC if found[1] > len else found[1]


def store_hdr_opt(env: Environment, skops: FieldContext, from_: bytes, len: int, flags: int) -> int:
    """Write an option into the room of the segment that is being built; one of a kind."""
    del env
    if skops["op"] != SockOp.WRITE_HDR_OPT_CB or not isinstance(skops.about, Segment):
        return -Errno.EPERM
    if len < LEAST or flags or from_[1] > len or from_[0] in WITHOUT_LENGTH:
        return -Errno.EINVAL
    if from_[1] > skops["remaining_opt_len"]:
        return -Errno.ENOSPC
    experiment = from_[0] in EXPERIMENTS
    if experiment and from_[1] < MAGIC[0]:
        return -Errno.EINVAL
    return _append(skops, skops.about, from_[: from_[1]], from_[2:4] if experiment else b"")


def reserve_hdr_opt(env: Environment, skops: FieldContext, len: int, flags: int) -> int:
    """Reserve room for options of the segment that will be built."""
    del env
    if skops["op"] != SockOp.HDR_OPT_LEN_CB:
        return -Errno.EPERM
    if flags or len < LEAST:
        return -Errno.EINVAL
    if len > skops["remaining_opt_len"]:
        return -Errno.ENOSPC
    skops["remaining_opt_len"] -= len
    return 0


def _append(skops: FieldContext, segment: Segment, option: bytes, magic: bytes) -> int:
    found = find_option(segment.options, option[0], magic)
    if not isinstance(found, int):
        return -Errno.EEXIST
    if found != -Errno.ENOMSG:
        return -Errno.ENOSPC if found == -Errno.ENODATA else found
    segment.append(option, skops)
    skops["remaining_opt_len"] -= len(option)
    return 0


def _options(skops: FieldContext, *, syn: bool) -> bytes | int:
    if syn:
        saved = -Errno.ENOENT if skops.socket is None else syn_header(skops.socket, SYN_FROM_TCP)
        return saved if isinstance(saved, int) else saved[TCP_HEADER:]
    if not isinstance(skops.about, Segment) or skops["op"] == SockOp.HDR_OPT_LEN_CB:
        return -Errno.EPERM
    return skops.about.options
