"""The packet of an XDP program: moved at both ends, copied across its fragments (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.run_rules import ETH_HLEN, PAGE_SIZE, XDP_FRAME_STRUCT, XDP_MAX_META, XDP_TAILROOM

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.frame import XdpFrame
    from bpflab.sim.test_run import Environment

LINEAR_END: Final = PAGE_SIZE - XDP_TAILROOM
LONGEST: Final = 0xFFFF
"""xdp_load_bytes and xdp_store_bytes answer EFAULT to offsets and lengths beyond this."""


def xdp_adjust_head(env: Environment, xdp_md: XdpFrame, delta: int) -> int:
    """Move the start of the packet and its metadata along."""
    del env
    frame, meta = xdp_md, xdp_md.data - xdp_md.data_meta
    start = frame.data + delta
    if start < XDP_FRAME_STRUCT + meta or start > frame.data_end - ETH_HLEN:
        return -Errno.EINVAL
    moved = bytes(frame.page[frame.data_meta : frame.data])
    frame.data_meta += delta
    frame.data = start
    frame.page[frame.data_meta : frame.data] = moved
    frame.refresh()
    return 0


def xdp_adjust_meta(env: Environment, xdp_md: XdpFrame, delta: int) -> int:
    """Move the start of the metadata."""
    del env
    start = xdp_md.data_meta + delta
    length = xdp_md.data - start
    if start < XDP_FRAME_STRUCT or start > xdp_md.data:
        return -Errno.EINVAL
    if length % 4 or length > XDP_MAX_META:
        return -Errno.EACCES
    xdp_md.data_meta = start
    xdp_md.refresh()
    return 0


def xdp_adjust_tail(env: Environment, xdp_md: XdpFrame, delta: int) -> int:
    """Move the end of the packet: of its last fragment if it has some."""
    del env
    answer = _adjust_fragments(xdp_md, delta) if xdp_md.fragments else _adjust_linear(xdp_md, delta)
    xdp_md.refresh()
    return answer


def _adjust_linear(frame: XdpFrame, delta: int) -> int:
    end = frame.data_end + delta
    if end > LINEAR_END or end < frame.data + ETH_HLEN:
        return -Errno.EINVAL
    frame.page[frame.data_end : max(end, frame.data_end)] = bytes(max(delta, 0))
    frame.data_end = end
    return 0


def _adjust_fragments(frame: XdpFrame, delta: int) -> int:
    if delta >= 0:
        last = frame.fragments[-1]
        if delta > PAGE_SIZE - len(last):
            return -Errno.EINVAL
        last.extend(bytes(delta))
        return 0
    if frame.length + delta < ETH_HLEN:
        return -Errno.EINVAL
    left = -delta
    while left and frame.fragments:
        cut = min(left, len(frame.fragments[-1]))
        del frame.fragments[-1][len(frame.fragments[-1]) - cut :]
        if not frame.fragments[-1]:
            frame.fragments.pop()
        left -= cut
    frame.data_end -= left
    return 0


def xdp_get_buff_len(env: Environment, xdp_md: XdpFrame) -> int:
    """Give the length of the packet, fragments and all."""
    del env
    return xdp_md.length


def xdp_load_bytes(env: Environment, xdp_md: XdpFrame, offset: int, buf: Buffer, len: int) -> int:
    """Copy bytes out of the packet."""
    del env
    refusal = _out_of(xdp_md, offset, len)
    if refusal:
        return refusal
    buf.write(xdp_md.read(offset, len))
    return 0


def xdp_store_bytes(env: Environment, xdp_md: XdpFrame, offset: int, buf: bytes, len: int) -> int:
    """Copy bytes into the packet."""
    del env
    refusal = _out_of(xdp_md, offset, len)
    if refusal:
        return refusal
    xdp_md.write(offset, buf)
    return 0


def _out_of(frame: XdpFrame, offset: int, length: int) -> int:
    if offset > LONGEST or length > LONGEST:
        return -Errno.EFAULT
    return -Errno.EINVAL if offset + length > frame.length else 0
