"""Lightweight tunnels: headers put around packets on their route, and the work of a segment's endpoint.

After net/core/lwt_bpf.c and net/core/filter.c. Where the kernel looks for a route with the new header, the world's
routes are asked: ENETUNREACH where none leads on.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.ethernet import EtherType
from bpflab.abi.helper_flags import LwtEncapMode
from bpflab.abi.prog_types import ProgType
from bpflab.sim import checksum, segments, skb_checksum, skb_hash, skb_headers
from bpflab.sim.segments import HeaderState

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

LONGEST: Final = 256
"""LWT_BPF_MAX_HEADROOM: what an IP header with all behind it may be."""
IPV4_HEADER: Final = 20
TABLE_SIZE: Final = 4
STATE: Final = "segment routing header"
END_X, END_T, END_DT6, END_B6, END_B6_ENCAP = 2, 3, 7, 9, 10
"""SEG6_LOCAL_ACTION_* of linux/seg6_local.h."""


def lwt_push_encap(env: Environment, skb: Skb, type: int, hdr: bytes, len: int) -> int:
    """Put an IP header or a segment routing header around the packet; the latter only on a route's input."""
    if type == LwtEncapMode.IP:
        answer = _push_ip(skb, hdr, len, summed=env.program.spec.type == ProgType.LWT_IN)
    elif env.program.spec.type == ProgType.LWT_IN:
        answer = _push_segments(env, skb, type, hdr)
    else:
        answer = -Errno.EINVAL
    skb.refresh()
    return answer


def lwt_seg6_store_bytes(env: Environment, skb: Skb, offset: int, from_: bytes, len: int) -> int:
    """Write to the header's flags, tag and options."""
    state, at = _state(env), segments.find(skb)
    if state is None or at is None:
        return -Errno.EINVAL
    end, fixed = offset + len, at + segments.FIXED
    # The kernel counts the segments from the header's first byte here, so their last eight bytes are open too.
    if _options(skb, at) - segments.FIXED <= offset and end <= fixed + state.length:
        state.valid = False
    elif offset < at + segments.FLAGS or end > fixed:
        return -Errno.EFAULT
    skb.write(offset, from_)
    skb.refresh()
    return 0


def lwt_seg6_adjust_srh(env: Environment, skb: Skb, offset: int, delta: int) -> int:
    """Make or take room among the header's options."""
    state, at = _state(env), segments.find(skb)
    if state is None or at is None:
        return -Errno.EINVAL
    end = at + segments.FIXED + state.length
    if not _options(skb, at) <= offset <= end or offset - min(delta, 0) > end:
        return -Errno.EFAULT
    if delta > 0:
        skb.make_headroom(delta)
        skb_headers.make_room(skb, offset, delta)
    elif delta < 0 and not skb_headers.take_room(skb, offset, -delta):
        return -Errno.ENOMEM
    segments.set_length(skb)
    state.length += delta
    state.valid = False
    skb.refresh()
    return 0


def lwt_seg6_action(env: Environment, skb: Skb, action: int, param: bytes, param_len: int) -> int:
    """Do what an endpoint does: forward, decapsulate, or put another header on."""
    answer = _action(env, skb, action, param, param_len)
    skb.refresh()
    return answer


def has_valid_header(env: Environment, skb: Skb) -> bool:
    """Check the routing header again if it was changed; its length becomes what the program made it."""
    state, at = _state(env), segments.find(skb)
    if state is None or at is None:
        return False
    if not state.valid:
        if state.length % 8:
            return False
        skb.write(at + 1, bytes([state.length >> 3 & 0xFF]))
        whole = skb.read(at, segments.FIXED + state.length)
        state.valid = whole is not None and segments.is_valid(whole, reduced=True)
    return state.valid


def _action(env: Environment, skb: Skb, action: int, param: bytes, size: int) -> int:
    if action in {END_B6, END_B6_ENCAP}:
        if _state(env) is not None and not has_valid_header(env, skb):
            return -Errno.EBADMSG
        mode = LwtEncapMode.SEG6_INLINE if action == END_B6 else LwtEncapMode.SEG6
        return _push_segments(env, skb, mode, param)
    if action not in _ENDS:
        return -Errno.EINVAL
    if not has_valid_header(env, skb):
        return -Errno.EBADMSG
    wanted, act = _ENDS[action]
    return act(env, skb, param) if size == wanted else -Errno.EINVAL


def _forward(env: Environment, skb: Skb, param: bytes) -> int:
    return _route(env, skb, address=param)


def _from_table(env: Environment, skb: Skb, param: bytes) -> int:
    return _route(env, skb, table=_number(skb, param))


def _decapsulated(env: Environment, skb: Skb, param: bytes) -> int:
    inner = segments.find(skb, segments.IPV6_PROTOCOL)
    if inner is None or not skb.reach(inner):
        return -Errno.EBADMSG
    skb_checksum.removed(skb, skb.read(0, inner) or b"")
    skb.data += inner
    skb.network_header = skb.transport_header = skb.data
    skb.encapsulation = False
    return _route(env, skb, table=_number(skb, param))


def _push_ip(skb: Skb, header: bytes, size: int, *, summed: bool) -> int:
    if not IPV4_HEADER <= size <= LONGEST:
        return -Errno.EINVAL
    version, own = header[0] >> 4, (header[0] & 0xF) * 4
    if version not in {4, 6} or size < (own if version == 4 else segments.IPV6_HEADER):
        return -Errno.EINVAL
    before = skb.csum
    segments.push(skb, header, EtherType.IP if version == 4 else EtherType.IPV6)
    if not summed:
        skb.csum = before
    skb_hash.forget(skb)
    if version == 4 and header[10:12] == bytes(2):
        check = checksum.fold(checksum.partial(header[:own], 0, skb.order))
        skb.write(10, check.to_bytes(2, skb.order))
    return 0


def _push_segments(env: Environment, skb: Skb, mode: int, srh: bytes) -> int:
    if not segments.is_valid(srh, reduced=False) or mode not in {LwtEncapMode.SEG6, LwtEncapMode.SEG6_INLINE}:
        return -Errno.EINVAL
    if mode == LwtEncapMode.SEG6:
        segments.wrap(env.kernel.world, skb, srh)
    elif skb.protocol != EtherType.IPV6:
        return -Errno.EBADMSG
    else:
        segments.insert(skb, srh)
    skb.transport_header = skb.data + segments.IPV6_HEADER
    if STATE in env.state:
        env.state[STATE] = HeaderState(8 * srh[1])
    return _route(env, skb)


def _route(env: Environment, skb: Skb, address: bytes | None = None, table: int = 0) -> int:
    return 0 if segments.next_hop(env.kernel.world, skb, address, table) else -Errno.ENETUNREACH


def _number(skb: Skb, param: bytes) -> int:
    value: int = struct.unpack("<I" if skb.order == "little" else ">I", param)[0]
    return value


def _options(skb: Skb, at: int) -> int:
    """Return where a header's options begin, behind its segments."""
    first = (skb.read(at + 4, 1) or b"\0")[0]
    return at + segments.FIXED + (first + 1) * segments.SEGMENT


def _state(env: Environment) -> HeaderState | None:
    found = env.state.get(STATE)
    return found if isinstance(found, HeaderState) else None


_ENDS: Final[dict[int, tuple[int, Callable[[Environment, Skb, bytes], int]]]] = {
    END_X: (segments.SEGMENT, _forward),
    END_T: (TABLE_SIZE, _from_table),
    END_DT6: (TABLE_SIZE, _decapsulated),
}
"""The actions that end a segment: how long their parameter is, and what they do."""
