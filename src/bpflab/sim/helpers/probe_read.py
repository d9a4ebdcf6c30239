"""Copies from addresses that nobody vouches for (kernel/trace/bpf_trace.c, mm/maccess.c, lib/strncpy_from_user.c).

Addresses are those of the simulated kernel: a process's memory is what `world.user_memory` laid out, everything else
the kernel's. What cannot be read fills the destination with zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.fault import Fault
from bpflab.sim.kernel_reads import is_kernels, read_bytes, read_kernel, read_user
from bpflab.sim.region import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment

WORD: Final = 8


def probe_read_kernel(env: Environment, dst: Buffer, size: int, unsafe_ptr: int) -> int:
    """Copy from the kernel: 0, EFAULT, or ERANGE for an address that cannot be the kernel's."""
    return _answer(dst, read_kernel(env.kernel.memory, unsafe_ptr, size), size)


def probe_read_user(env: Environment, dst: Buffer, size: int, unsafe_ptr: int) -> int:
    """Copy from the current process: 0 or EFAULT."""
    return _answer(dst, read_user(env.kernel.memory, unsafe_ptr, size), size)


def probe_read(env: Environment, dst: Buffer, size: int, unsafe_ptr: int) -> int:
    """Copy from wherever the address belongs to."""
    read = read_kernel if is_kernels(env.kernel.memory, unsafe_ptr) else read_user
    return _answer(dst, read(env.kernel.memory, unsafe_ptr, size), size)


def probe_read_kernel_str(env: Environment, dst: Buffer, size: int, unsafe_ptr: int) -> int:
    """Copy a text from the kernel; gives its length with the zero that ends it."""
    return _kernel_text(env, dst, size, unsafe_ptr)


def probe_read_user_str(env: Environment, dst: Buffer, size: int, unsafe_ptr: int) -> int:
    """Copy a text from the current process; gives its length with the zero that ends it."""
    return _user_text(env, dst, size, unsafe_ptr)


def probe_read_str(env: Environment, dst: Buffer, size: int, unsafe_ptr: int) -> int:
    """Copy a text from wherever the address belongs to."""
    read = _kernel_text if is_kernels(env.kernel.memory, unsafe_ptr) else _user_text
    return read(env, dst, size, unsafe_ptr)


def copy_from_user(env: Environment, dst: Buffer, size: int, user_ptr: int) -> int:
    """Copy from the current process, waiting for its pages: 0 or EFAULT."""
    return _answer(dst, read_user(env.kernel.memory, user_ptr, size), size)


def copy_from_user_task(env: Environment, dst: Buffer, size: int, user_ptr: int, tsk: int, flags: int) -> int:
    """Copy from a process; all of them share the memory that the test laid out. EINVAL for flags."""
    del tsk
    if flags:
        return -Errno.EINVAL
    return _answer(dst, read_user(env.kernel.memory, user_ptr, size), size) if size else 0


def probe_write_user(env: Environment, dst: int, src: bytes, len: int) -> int:
    """Write into the current process: 0, EFAULT, EPERM for a task of the kernel."""
    del len
    if env.kernel.world.current.kernel_thread:
        return -Errno.EPERM
    region = env.kernel.memory.find(dst)
    try:
        if region is None or region.kind is not RegionKind.USER:
            return -Errno.EFAULT
        env.kernel.memory.write(dst, src)
    except Fault:
        return -Errno.EFAULT
    return 0


def _answer(dst: Buffer, found: bytes | Errno, size: int) -> int:
    if isinstance(found, Errno):
        dst.fill(b"")
        return -found
    if size:
        dst.write(found)
    return 0


def _kernel_text(env: Environment, dst: Buffer, size: int, address: int) -> int:
    """Copy byte by byte (strncpy_from_kernel_nofault)."""
    memory = env.kernel.memory
    if not size:
        return 0
    refused = read_kernel(memory, address, 1)
    if isinstance(refused, Errno):
        return _answer(dst, refused, size)
    text = bytearray()
    while len(text) < size:
        byte = read_bytes(memory, address + len(text), 1)
        if isinstance(byte, Errno):
            return _answer(dst, byte, size)
        text += byte
        if byte == b"\0":
            break
    text[-1] = 0
    dst.write(bytes(text))
    return len(text)


def _user_text(env: Environment, dst: Buffer, size: int, address: int) -> int:
    """Copy by words while there is room for one, zeros behind the end within the last, then by bytes."""
    memory = env.kernel.memory
    if not size:
        return 0
    region = memory.find(address)
    if region is None or region.kind is not RegionKind.USER:
        return _answer(dst, Errno.EFAULT, size)
    text = bytearray()
    while len(text) < size:
        byte = read_bytes(memory, address + len(text), 1)
        if isinstance(byte, Errno):
            return _answer(dst, byte, size)
        text += byte
        if byte == b"\0":
            return _end(dst, text, size)
    text[-1] = 0
    dst.write(bytes(text))
    return size


def _end(dst: Buffer, text: bytearray, size: int) -> int:
    words_end = len(text) + -len(text) % WORD
    dst.write(bytes(text).ljust(words_end, b"\0") if words_end <= size else bytes(text))
    return len(text)
