"""Reads that may fail, of the kernel's memory and of the process's (mm/maccess.c).

A process's memory is what `world.user_memory` laid out; everything else is the kernel's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.fault import Fault
from bpflab.sim.region import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.memory import Memory

USER_END: Final = (1 << 47) - 4096
"""The first address that no process of x86_64 has (TASK_SIZE_MAX); reads as kernel memory below a page more, ERANGE."""
KERNEL_START: Final = ((1 << 64) - 1) ^ ((1 << 47) - 1)
"""The first address of the kernel's half; those between the halves are not canonical."""


def is_kernels(memory: Memory, address: int) -> bool:
    """Tell whether an address belongs to the kernel rather than to a process."""
    region = memory.find(address)
    return address >= USER_END if region is None else region.kind is not RegionKind.USER


def read_kernel(memory: Memory, address: int, size: int) -> bytes | Errno:
    """Return bytes of the kernel, EFAULT, or ERANGE for an address that cannot be the kernel's."""
    region = memory.find(address)
    if region is None or region.kind is RegionKind.USER:
        if region is not None or address < KERNEL_START:
            return Errno.ERANGE
        return Errno.EFAULT if size else b""
    return read_bytes(memory, address, size)


def read_user(memory: Memory, address: int, size: int) -> bytes | Errno:
    """Return bytes of the process, or EFAULT."""
    region = memory.find(address)
    if region is None or region.kind is not RegionKind.USER:
        return b"" if not size and address < USER_END else Errno.EFAULT
    return read_bytes(memory, address, size)


def read_bytes(memory: Memory, address: int, size: int) -> bytes | Errno:
    """Return bytes, or EFAULT where they cannot all be read."""
    try:
        return memory.read(address, size) if size else b""
    except Fault:
        return Errno.EFAULT
