"""File descriptors of the simulated kernel."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from typing import Final

from bpflab.abi.errno import Errno
from bpflab.sim.objects import KernelObject
from bpflab.sim.refusal import Refusal

FIRST_FD: Final = 1_000_000
"""Far above the process's own descriptors, so that neither is ever mistaken for the other."""

READ: Final = 1
WRITE: Final = 2
BOTH: Final = 3
"""What the system call may do with a map through one open file."""


@dataclass(slots=True, eq=False)
class OpenFile:
    """What a descriptor stands for; `dup` makes a second descriptor of the same one."""

    object: KernelObject
    mode: int = BOTH
    descriptors: int = field(default=0)


class FileTable:
    """The open descriptors. Numbers are not given twice, so that use after close is always EBADF."""

    def __init__(self) -> None:
        self._files: dict[int, OpenFile] = {}
        self._numbers = itertools.count(FIRST_FD)

    def __len__(self) -> int:
        return len(self._files)

    def open(self, target: KernelObject, mode: int = BOTH) -> int:
        """Return a new descriptor that takes over the caller's reference of the object."""
        target.opened()
        return self._install(OpenFile(target, mode))

    def get(self, fd: int) -> OpenFile:
        """Return the open file of a descriptor; EBADF.

        A descriptor of the process itself is an open file too, of something that is no object of ours.
        """
        file = self._files.get(fd)
        return file if file is not None else OpenFile(foreign(fd))

    def dup(self, fd: int) -> int:
        """Return a second descriptor; EBADF."""
        return self._install(self._own(fd))

    def close(self, fd: int) -> None:
        """Close a descriptor; with the last one of a file its reference goes. EBADF."""
        file = self._own(fd)
        del self._files[fd]
        file.descriptors -= 1
        if not file.descriptors:
            file.object.closed()
            file.object.put()

    def close_all(self) -> None:
        """Close every descriptor that is open."""
        for fd in list(self._files):
            self.close(fd)

    def _own(self, fd: int) -> OpenFile:
        try:
            return self._files[fd]
        except KeyError:
            raise Refusal(Errno.EBADF) from None

    def _install(self, file: OpenFile) -> int:
        fd = next(self._numbers)
        file.descriptors += 1
        self._files[fd] = file
        return fd


def foreign(fd: int) -> KernelObject:
    """Return an object that is nothing the simulated kernel knows; EBADF when the process has no such descriptor."""
    try:
        os.fstat(fd)
    except (OSError, OverflowError):
        raise Refusal(Errno.EBADF) from None
    return KernelObject()
