"""The counter as a file that qemu writes and the guest reads: two integers of 8 bytes, a mark and the count.

They have the byte order of the host, which the guest may not have: it tells by the mark, which is 1. A guest reads the
count as one word, and swaps it in C: byte by byte it could see half of an addition, and in Python the swap of some
numbers takes twenty instructions more than that of others.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARK: Final = 1
SIZE: Final = 16


def create(path: Path) -> None:
    """Write an empty counter; qemu sets its mark."""
    path.write_bytes(bytes(SIZE))


def was_written(path: Path) -> bool:
    """Say, on the host, whether qemu counted into a file."""
    content = path.read_bytes()
    return len(content) == SIZE and struct.unpack("=QQ", content)[0] == MARK


def reader(path: Path, unit: float = 1) -> Callable[[], float]:
    """Map a counter and give what reads the count, times `unit`; RunnerError says what is wrong with the file.

    The map stays for the life of the process, as the reader does. Reading is one call, as it is counted too.
    """
    count, mark = _mapped(path), 0
    for kind in (ctypes.c_uint64.__ctype_le__, ctypes.c_uint64.__ctype_be__):
        words = (kind * 2).from_buffer(count)
        mark = mark or words[0]
        if words[0] == MARK:
            return lambda: words[1] * unit
    raise RunnerError(f"The counter {path} is damaged: its mark is {mark:#x} instead of {MARK}.")


def _mapped(path: Path) -> mmap.mmap:
    # Open for writing, as ctypes takes no other memory. Nothing is written.
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as problem:
        raise RunnerError(f"The counter {path} cannot be read ({problem.strerror}).") from problem
    try:
        found = os.fstat(file).st_size
        if found != SIZE:
            raise RunnerError(f"The counter {path} is damaged: it has {found} bytes instead of {SIZE}.")
        return mmap.mmap(file, SIZE)
    finally:
        os.close(file)
