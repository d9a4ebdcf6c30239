"""Memory that maps share with user space by mmap."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_SIZE: Final = mmap.PAGESIZE


def page_aligned(size: int) -> int:
    """Round a size up to whole pages."""
    return -(-size // PAGE_SIZE) * PAGE_SIZE


class SharedMemory:
    """Pages in an anonymous file, so that every mapping is the operating system's own.

    `view` is the kernel's window on them. They go with the last mapping, `close`, and the last view.
    """

    def __init__(self, size: int) -> None:
        self.size = page_aligned(size)
        self._fd = _anonymous_file(self.size)
        self._close = weakref.finalize(self, os.close, self._fd)
        self.view = memoryview(mmap.mmap(self._fd, self.size))

    def map(self, offset: int, length: int, *, writable: bool, closed: Callable[[], None]) -> Mapping:
        """Map a part of it; `closed` is called once when that is unmapped."""
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        mapping = Mapping(self._fd, length, access=access, offset=offset)
        mapping.on_close(closed)
        return mapping

    def close(self) -> None:
        """Give up the file; what is mapped stays until it is unmapped. Closing twice is fine."""
        self._close()


class Mapping(mmap.mmap):
    """A mapping that reports when it is unmapped, by `close` or because nobody holds it any more."""

    _on_close: weakref.finalize[[], Mapping]

    def on_close(self, closed: Callable[[], None]) -> None:
        """Call a function when this is unmapped."""
        self._on_close = weakref.finalize(self, closed)

    def close(self) -> None:
        """Unmap; BufferError while views of it are alive."""
        super().close()
        self._on_close()


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("bpflab", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.truncate(fd, size)
    return fd
