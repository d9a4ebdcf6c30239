"""The memory of the process that calls: what the pointers in an attr mean.

A null pointer, an address in the first page and one in the kernel's half answer EFAULT, as on the
running kernel. Any other address is trusted: it belongs to the caller, who passes it to bpf(2) too.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from bpflab.abi.errno import Errno
from bpflab.sim.refusal import Refusal

LOWEST: Final = 4096
HIGHEST: Final = 1 << 63


def read(address: int, size: int) -> bytes:
    """Copy bytes from the caller; EFAULT for an address that cannot be one."""
    if size and not LOWEST <= address < HIGHEST:
        raise Refusal(Errno.EFAULT)
    return ctypes.string_at(address, size) if size else b""


def write(address: int, data: bytes) -> None:
    """Copy bytes to the caller; EFAULT for an address that cannot be one."""
    if not data:
        return
    if not LOWEST <= address < HIGHEST:
        raise Refusal(Errno.EFAULT)
    ctypes.memmove(address, data, len(data))


def read_text(address: int, limit: int) -> bytes:
    """Copy text up to its zero byte, at most `limit` bytes; EFAULT as `read`, EINVAL when it is longer."""
    if not LOWEST <= address < HIGHEST:
        raise Refusal(Errno.EFAULT)
    text = bytearray()
    while len(text) < limit:
        byte = ctypes.string_at(address + len(text), 1)
        if byte == b"\0":
            return bytes(text)
        text += byte
    raise Refusal(Errno.EINVAL)


def write_int(address: int, value: int, size: int = 4) -> None:
    """Store an unsigned integer in the host's byte order."""
    write(address, value.to_bytes(size, sys.byteorder))
