"""Dynptrs: made over memory, read, written, looked into (kernel/bpf/helpers.c).

Offsets are declared as u64 but Linux 6.18 looks at their low 32 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.dynptr import MAX_BYTES, Dynptr, at, clear, load, put, store

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment

LOW: Final = (1 << 32) - 1


def dynptr_from_mem(env: Environment, data: Buffer, size: int, flags: int, ptr: int) -> int:
    """Make a dynptr over memory; one that stands for nothing where that is refused."""
    if size > MAX_BYTES or flags:
        clear(env, ptr)
        return -Errno.E2BIG if size > MAX_BYTES else -Errno.EINVAL
    put(env, ptr, Dynptr(data.address, size))
    return 0


def dynptr_read(env: Environment, dst: Buffer, len: int, src: int, offset: int, flags: int) -> int:
    """Copy bytes out."""
    found, offset = at(env, src), offset & LOW
    if found.is_null or flags:
        return -Errno.EINVAL
    content, refusal = load(env, found, offset, len)
    dst.write(content)
    return refusal


def dynptr_write(env: Environment, dst: int, offset: int, src: bytes, len: int, flags: int) -> int:
    """Copy bytes in."""
    del len
    found, offset = at(env, dst), offset & LOW
    return store(env, found, offset, src, flags)


def dynptr_data(env: Environment, ptr: int, offset: int, len: int) -> int:
    """Give the address of bytes that are all there; 0 otherwise."""
    found, offset = at(env, ptr), offset & LOW
    usable = not found.is_null and found.writable and found.packet is None and found.holds(offset, len)
    return found.place(offset) if usable else 0
