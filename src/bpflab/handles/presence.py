"""Where a map or program is: its descriptor, its number in the kernel, its pins."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.commands import Command
from bpflab.abi.info import MAP_INFO
from bpflab.errors import PinError, SyscallError
from bpflab.handles import pinning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpflab.backend.call import Caller
    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab


class Presence:
    """The place of a map or program in the kernel, whatever its type.

    Attributes: `lab` its owner, and `fileno()` the descriptor, as programs and other maps take it.
    """

    by_id: ClassVar[Command]
    """The command that opens such an object by its number."""

    def __init__(self, lab: Lab, descriptor: Descriptor) -> None:
        self.lab = lab
        self.fileno: Callable[[], int] = descriptor.fileno
        self._descriptor = descriptor
        self._pins: list[str] = []
        self._id = 0

    @property
    def id(self) -> int:
        """Its number in the kernel, by which other processes can open it."""
        if not self._id:
            self._id = object_id(self.lab.call, self.fileno())
        return self._id

    @property
    def closed(self) -> bool:
        """Whether this descriptor of it was closed."""
        return self._descriptor.closed

    @property
    def exists(self) -> bool:
        """Whether the kernel still has it, be it that a program, a pin or another descriptor holds it."""
        if not self.closed:
            return True
        try:
            self.lab.backend.close(self.lab.call(self.by_id, start_id=self._id).result)
        except SyscallError:
            return False
        return True

    @property
    def pinned(self) -> bool:
        """Whether a pin that was made or opened through this object is still there, and still this object's."""
        return any(self._is_at(path) for path in self._pins)

    def pin(self, path: str | Path) -> str:
        """Pin it at a path, and return the whole path; a relative one lies below the Lab's `pin_root`.

        What is pinned outlives the process, unless the BPF file system is the Lab's own. PinError says how to get a BPF
        file system where there is none.
        """
        whole = pinning.pin_path(self.lab, path)
        pinning.pin(self.lab, self.fileno(), whole)
        self._pins.append(whole)
        return whole

    def unpin(self, path: str | Path | None = None) -> None:
        """Remove the pin at a path, or all pins that were made or opened through this object."""
        for whole in list(self._pins) if path is None else [pinning.pin_path(self.lab, path)]:
            pinning.unpin(self.lab, whole)
            if whole in self._pins:
                self._pins.remove(whole)

    def remember_pin(self, path: str) -> None:
        """Note that it was opened from this whole path."""
        self._pins.append(path)

    def rebind(self) -> None:
        """Take the Lab's backend anew, as it was wrapped by another."""
        self._descriptor.backend = self.lab.backend

    def _leave(self) -> None:
        if not self.closed:
            with contextlib.suppress(SyscallError):
                self._id = self.id
        self._descriptor.close()
        self.lab.disown(self)

    def close(self) -> None:
        """Close this descriptor of it. The object itself lives while a program, a pin or a descriptor holds it."""
        self._leave()

    def _is_at(self, path: str) -> bool:
        try:
            fd = pinning.open_pin(self.lab, path)
        except PinError:
            return False
        try:
            return object_id(self.lab.call, fd) == self.id
        finally:
            self.lab.backend.close(fd)


def object_id(call: Caller, fd: int) -> int:
    """Ask for the number of a map or program: the second field of `bpf_map_info` and of `bpf_prog_info` alike."""
    buffer = bytearray(MAP_INFO.field("id").offset + 4)
    call(Command.OBJ_GET_INFO_BY_FD, bpf_fd=fd, info_len=len(buffer), info=buffer)
    return MAP_INFO.get(buffer, "id")
