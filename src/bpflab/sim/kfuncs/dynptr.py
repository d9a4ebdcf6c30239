"""Dynptrs: made from packets, cut, compared, copied (kernel/bpf/helpers.c)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim import dynptr
from bpflab.sim.dynptr import Dynptr
from bpflab.sim.frame import XdpFrame
from bpflab.sim.hooks import find_hook
from bpflab.sim.packet_bytes import SkbBytes, SkbMeta, XdpBytes
from bpflab.sim.skb import Skb

if TYPE_CHECKING:
    from bpflab.sim.dynptr import PacketBytes
    from bpflab.sim.test_run import Environment

CHUNK: Final = 256
"""Bytes that are copied at a time where neither side lies in one piece."""


def bpf_dynptr_from_xdp(env: Environment, xdp: int, flags: int, ptr: int) -> int:
    """Make one of the frame of an XDP program."""
    del xdp
    if flags or not isinstance(env.frame, XdpFrame):
        return _refused(env, ptr)
    return _made(env, ptr, env.frame.length, XdpBytes(env, env.frame))


def bpf_dynptr_from_skb(env: Environment, skb: int, flags: int, ptr: int) -> int:
    """Make one of the packet of a socket buffer, read-only where the program may not write to it."""
    del skb
    if flags or not isinstance(env.frame, Skb):
        return _refused(env, ptr)
    spec = env.running.spec
    writable = find_hook(spec.type).packet_writable(spec)
    return _made(env, ptr, env.frame.length, SkbBytes(env, env.frame), writable=writable)


def bpf_dynptr_from_skb_meta(env: Environment, skb: int, flags: int, ptr: int) -> int:
    """Make one of the metadata in front of a packet."""
    del skb
    if flags or not isinstance(env.frame, Skb):
        return _refused(env, ptr)
    return _made(env, ptr, env.frame.meta_length, SkbMeta(env.frame))


def bpf_dynptr_slice(env: Environment, ptr: int, offset: int, buffer: int, size: int) -> int:
    """Give the address of bytes, in place if they lie in one piece, else of a copy in the buffer."""
    return _slice(env, dynptr.at(env, ptr), offset, buffer, size)


def bpf_dynptr_slice_rdwr(env: Environment, ptr: int, offset: int, buffer: int, size: int) -> int:
    """Give the address of bytes that may be written; writes to a copy do not reach the packet."""
    found = dynptr.at(env, ptr)
    return _slice(env, found, offset, buffer, size) if found.writable else 0


def bpf_dynptr_adjust(env: Environment, ptr: int, start: int, end: int) -> int:
    """Make it stand for the bytes from start to end of what it stands for."""
    found = dynptr.at(env, ptr)
    if found.is_null or start > end:
        return -Errno.EINVAL
    if end > found.size:
        return -Errno.ERANGE
    found.address, found.size = found.place(start), end - start
    return 0


def bpf_dynptr_is_null(env: Environment, ptr: int) -> int:
    """Whether it stands for nothing."""
    return int(dynptr.at(env, ptr).is_null)


def bpf_dynptr_is_rdonly(env: Environment, ptr: int) -> int:
    """Whether it may only be read."""
    found = dynptr.at(env, ptr)
    return int(not found.is_null and not found.writable)


def bpf_dynptr_size(env: Environment, ptr: int) -> int:
    """Give its length in bytes."""
    found = dynptr.at(env, ptr)
    return -Errno.EINVAL if found.is_null else found.size


def bpf_dynptr_clone(env: Environment, ptr: int, clone: int) -> int:
    """Make a second one for the same bytes, that is cut on its own."""
    found = dynptr.at(env, ptr)
    if found.is_null:
        return _refused(env, clone)
    dynptr.put(env, clone, replace(found))
    return 0


def bpf_dynptr_copy(env: Environment, dst: int, dst_offset: int, src: int, src_offset: int, size: int) -> int:
    """Copy from one to the other; they may overlap."""
    target, source = dynptr.at(env, dst), dynptr.at(env, src)
    there = _slice(env, source, src_offset, 0, size)
    here = _slice(env, target, dst_offset, 0, size) if target.writable else 0
    if there:
        content = env.run.memory.read(there, size)
        return _written(env, here, content) if here else dynptr.store(env, target, dst_offset, content, 0)
    if here:
        return _filled(env, here, source, src_offset, size)
    if not (target.holds(dst_offset, size) and source.holds(src_offset, size)):
        return -Errno.E2BIG
    return _in_chunks(env, (target, dst_offset), (source, src_offset), size)


def bpf_dynptr_memset(env: Environment, ptr: int, offset: int, size: int, val: int) -> int:
    """Fill bytes."""
    found = dynptr.at(env, ptr)
    here = _slice(env, found, offset, 0, size) if found.writable else 0
    if here:
        return _written(env, here, bytes([val]) * size)
    if not found.writable:
        return -Errno.EINVAL
    if not found.holds(offset, size):
        return -Errno.E2BIG
    return _each_chunk(env, found, offset, bytes([val]) * size)


def _made(env: Environment, place: int, size: int, packet: PacketBytes, *, writable: bool = True) -> int:
    dynptr.put(env, place, Dynptr(0, size, writable, packet))
    return 0


def _refused(env: Environment, place: int) -> int:
    dynptr.clear(env, place)
    return -Errno.EINVAL


def _slice(env: Environment, found: Dynptr, offset: int, buffer: int, size: int) -> int:
    if found.is_null or not found.holds(offset, size):
        return 0
    if found.packet is None:
        return found.place(offset)
    here = found.packet.pointer(found.place(offset), size)
    if here or not buffer:
        return here
    content = found.packet.load(found.place(offset), size)
    if content is None:
        return buffer if isinstance(found.packet, XdpBytes) else 0
    env.run.memory.write(buffer, content)
    return buffer


def _written(env: Environment, place: int, content: bytes) -> int:
    if content:
        env.run.memory.write(place, content)
    return 0


def _filled(env: Environment, place: int, source: Dynptr, offset: int, size: int) -> int:
    if source.is_null:
        return -Errno.EINVAL
    content, refusal = dynptr.load(env, source, offset, size)
    _written(env, place, content)
    return refusal


def _in_chunks(env: Environment, target: tuple[Dynptr, int], source: tuple[Dynptr, int], size: int) -> int:
    for at in range(0, size, CHUNK):
        content, refusal = dynptr.load(env, source[0], source[1] + at, min(CHUNK, size - at))
        refusal = refusal or dynptr.store(env, target[0], target[1] + at, content, 0)
        if refusal:
            return refusal
    return 0


def _each_chunk(env: Environment, target: Dynptr, offset: int, content: bytes) -> int:
    for at in range(0, len(content), CHUNK):
        refusal = dynptr.store(env, target, offset + at, content[at : at + CHUNK], 0)
        if refusal:
            return refusal
    return 0
