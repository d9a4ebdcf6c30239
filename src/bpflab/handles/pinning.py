"""Pins: paths in a BPF file system that keep a map alive and let others open it."""

from __future__ import annotations

from os import fspath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno, errno_name
from bpflab.errors import ArgumentError, NotPermittedError, PinError, SyscallError

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.lab import Lab


def pin_path(lab: Lab, given: str | Path) -> str:
    """Return the whole path of a pin; a relative one lies below the Lab's `pin_root`, by default a private mount."""
    if not isinstance(given, str) and not hasattr(given, "__fspath__"):
        raise ArgumentError(f"pin is {given!r}; expected a path.")
    path = fspath(given)
    if not path or "\0" in path:
        raise ArgumentError(f"pin is {path!r}; expected a path.")
    return path if path.startswith("/") else str(PurePosixPath(lab.pin_root) / path)


def pin(lab: Lab, fd: int, path: str) -> None:
    """Pin the object behind a descriptor at a path (BPF_OBJ_PIN)."""
    try:
        lab.call(Command.OBJ_PIN, pathname=path.encode() + b"\0", bpf_fd=fd)
    except SyscallError as error:
        _explain(error, path, PIN_REASONS)


def open_pin(lab: Lab, path: str, *, file_flags: int = 0) -> int:
    """Open what is pinned at a path (BPF_OBJ_GET); a descriptor."""
    try:
        return lab.call(Command.OBJ_GET, pathname=path.encode() + b"\0", file_flags=file_flags).result
    except SyscallError as error:
        _explain(error, path, OPEN_REASONS)


def open_pin_if_there(lab: Lab, path: str) -> int | None:
    """Open what is pinned at a path; None when nothing is."""
    try:
        return lab.call(Command.OBJ_GET, pathname=path.encode() + b"\0").result
    except SyscallError as error:
        if error.errno == Errno.ENOENT:
            return None
        _explain(error, path, OPEN_REASONS)


def unpin(lab: Lab, path: str) -> None:
    """Remove a pin; PinError when there is none or it cannot be removed."""
    try:
        lab.backend.unlink(path)
    except OSError as error:
        raise PinError(f"The pin {path} could not be removed: {error.strerror}.") from error


NO_FILE_SYSTEM = (
    "the path is not in a BPF file system. Mount one (mount -t bpf bpf /sys/fs/bpf), or give a relative path, which "
    "is pinned in a BPF file system of the Lab's own"
)
PIN_REASONS = {
    Errno.EPERM: NO_FILE_SYSTEM + " (or the process may not write there)",
    Errno.EEXIST: "something is pinned there already. Open it with open_map(path=...), or remove it first",
    Errno.ENOENT: "its directory does not exist. Make it first (mkdir works in a BPF file system)",
    Errno.ENOTDIR: "a part of it is no directory",
    Errno.EINVAL: NO_FILE_SYSTEM + ", and names in one hold no dot",
}
OPEN_REASONS = {
    Errno.EPERM: "the process may not open it (its file mode, or a map created with RDONLY or WRONLY)",
    Errno.EACCES: NO_FILE_SYSTEM + ": what is there is another kind of file",
    Errno.ENOENT: "nothing is pinned there",
    Errno.ENOTDIR: "a part of it is no directory",
    Errno.EINVAL: NO_FILE_SYSTEM,
}


def _explain(error: SyscallError, path: str, reasons: dict[Errno, str]) -> NoReturn:
    try:
        reason = reasons[Errno(error.errno)]
    except (KeyError, ValueError):
        if isinstance(error, NotPermittedError):
            raise error from None
        reason = f"the kernel answered {errno_name(error.errno)}"
    raise PinError(f"{error.command} of {path} failed: {reason}.") from error
