"""The counter as a file that qemu writes and the guest reads: two integers of 8 bytes, a mark and the count.

They have the byte order of the host, which the guest may not have: it tells by the mark, which is 1. A guest reads the
count as one integer of its own, since a read byte by byte could see half of an addition.
"""

from __future__ import annotations

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
_SWAPPED: Final = MARK << 56


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
    view = _mapped(path).cast("Q")
    if view[0] == MARK:
        return lambda: view[1] * unit
    if view[0] == _SWAPPED:
        return lambda: int.from_bytes(view[1].to_bytes(8, "little"), "big") * unit
    raise RunnerError(f"The counter {path} is damaged: its mark is {view[0]:#x} instead of {MARK}.")


def _mapped(path: Path) -> memoryview:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        raise RunnerError(f"The counter {path} cannot be read ({problem.strerror}).") from problem
    try:
        found = os.fstat(file).st_size
        if found != SIZE:
            raise RunnerError(f"The counter {path} is damaged: it has {found} bytes instead of {SIZE}.")
        return memoryview(mmap.mmap(file, SIZE, prot=mmap.PROT_READ))
    finally:
        os.close(file)
