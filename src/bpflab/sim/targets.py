"""What a descriptor of the process itself stands for: cgroups, sockets, files, that the kernel would attach to.

The simulated kernel has none of these. It tells them apart, and keeps books of what is attached where.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from bpflab.abi.errno import Errno
from bpflab.sim.objects import KernelObject
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Hashable

NETNS: Final = Path("/proc/self/ns/net")
SO_COOKIE: Final = 57
"""getsockopt(2) option of SOL_SOCKET: the socket's number (asm-generic/socket.h)."""


class SimCgroup(KernelObject):
    """A cgroup: any directory of the process stands for one. `id` is the directory's inode number."""

    kind: ClassVar[str] = "cgroup"

    def __init__(self, identity: tuple[int, int]) -> None:
        super().__init__()
        self.identity = identity
        self.id = identity[1]


def cgroup(fd: int) -> SimCgroup:
    """Return the cgroup that a descriptor of a directory stands for; EBADF for anything else."""
    status = _status(fd)
    refuse_if(not stat.S_ISDIR(status.st_mode), Errno.EBADF)
    return SimCgroup((status.st_dev, status.st_ino))


def file_identity(fd: int) -> Hashable:
    """Return what tells the file of a descriptor from others; EBADF when it is not open."""
    status = _status(fd)
    return status.st_dev, status.st_ino


def inode(fd: int) -> int:
    """Return the inode number of the file of a descriptor; EBADF when it is not open."""
    return _status(fd).st_ino


def process_of(fd: int) -> int | None:
    """Return the number of the process of a pidfd, None for any other descriptor."""
    try:
        lines = Path(f"/proc/self/fdinfo/{fd}").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("Pid:")), None)


def network_namespace(fd: int | None) -> Hashable:
    """Return what tells a network namespace from others, the process's own for None; EBADF, EINVAL."""
    if fd is None:
        return _identity(NETNS) if NETNS.exists() else "own"
    identity = file_identity(fd)
    link = Path(f"/proc/self/fd/{fd}")
    refuse_if(link.is_symlink() and not str(link.readlink()).startswith("net:["))
    return identity


def socket_cookie(fd: int) -> tuple[int, int]:
    """Return the type and the cookie of a socket; EBADF when it is not open, ENOTSOCK when it is no socket."""
    status = _status(fd)
    refuse_if(not stat.S_ISSOCK(status.st_mode), Errno.ENOTSOCK)
    with socket.socket(fileno=os.dup(fd)) as duplicate:
        try:
            cookie = int.from_bytes(duplicate.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")
        except OSError:
            cookie = status.st_ino
        return duplicate.type, cookie


def shares_port(fd: int) -> bool:
    """Tell whether a socket may share its port (SO_REUSEPORT)."""
    with socket.socket(fileno=os.dup(fd)) as duplicate:
        return bool(duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))


def _identity(path: Path) -> Hashable:
    status = path.stat()
    return status.st_dev, status.st_ino


def _status(fd: int) -> os.stat_result:
    try:
        return os.fstat(fd)
    except (OSError, OverflowError):
        raise Refusal(Errno.EBADF) from None
