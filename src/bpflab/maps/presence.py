"""Where a map is: its descriptor, its number in the kernel, its pins."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.errors import PinError, SyscallError
from bpflab.maps import pinning
from bpflab.maps.information import MapInfo, map_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab


class Presence:
    """A map's place in the kernel, whatever its type.

    Attributes: `lab` its owner, and `fileno()` the descriptor, as programs and other maps take it.
    """

    def __init__(self, lab: Lab, descriptor: Descriptor) -> None:
        self.lab = lab
        self.fileno: Callable[[], int] = descriptor.fileno
        self._descriptor = descriptor
        self._pins: list[str] = []
        self._id = 0

    @property
    def info(self) -> MapInfo:
        """What the kernel says of the map now."""
        return map_info(self.lab.call, self.fileno())

    @property
    def id(self) -> int:
        """The map's number in the kernel, by which other processes can open it."""
        if not self._id:
            self._id = self.info.id
        return self._id

    @property
    def closed(self) -> bool:
        """Whether this descriptor of it was closed."""
        return self._descriptor.closed

    @property
    def exists(self) -> bool:
        """Whether the kernel still has the map, be it that a program, a pin or another descriptor holds it."""
        if not self.closed:
            return True
        try:
            self.lab.backend.close(self.lab.call(Command.MAP_GET_FD_BY_ID, map_id=self._id).result)
        except SyscallError:
            return False
        return True

    @property
    def pinned(self) -> bool:
        """Whether a pin that was made or opened through this object is still there, and still this map's."""
        return any(self._is_at(path) for path in self._pins)

    def pin(self, path: str | Path) -> str:
        """Pin the map at a path, and return the whole path; a relative one lies below the Lab's `pin_root`.

        A pinned map outlives the process, unless the BPF file system is the Lab's own. PinError says how to get a BPF
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
        """Note that the map was opened from this whole path."""
        self._pins.append(path)

    def _leave(self) -> None:
        if not self.closed:
            with contextlib.suppress(SyscallError):
                self._id = self.id
        self._descriptor.close()
        self.lab.disown(self)

    def close(self) -> None:
        """Close this descriptor of the map. The map itself lives while a program, a pin or a descriptor holds it."""
        self._leave()

    def _is_at(self, path: str) -> bool:
        try:
            fd = pinning.open_pin(self.lab, path)
        except PinError:
            return False
        try:
            return map_info(self.lab.call, fd).id == self.id
        finally:
            self.lab.backend.close(fd)
