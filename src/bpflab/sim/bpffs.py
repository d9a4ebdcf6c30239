"""The simulated BPF file systems: trees of pins that no other process, and no real file system, sees.

A path is a pin's if it lies below a root that `mount` gave. For any other path the real file system
is asked whether it is there, and the answer is that of a file system that is not BPF's.
"""

from __future__ import annotations

import itertools
import posixpath
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.objects import KernelObject

ROOT: Final = "/sim/bpf"
NAME_MAX: Final = 255


class BpfFs:
    """Directories and pins by path."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._directories: set[PurePosixPath] = set()
        self._pins: dict[PurePosixPath, KernelObject] = {}

    def mount(self) -> str:
        """Return the root of a new tree."""
        number = next(self._numbers)
        root = PurePosixPath(f"{ROOT}{number or ''}")
        self._directories.add(root)
        return str(root)

    def mkdir(self, path: str) -> None:
        """Make a directory; EEXIST, ENOENT without its parent, EINVAL outside of every tree."""
        self._directories.add(self._free_place(path))

    def pin(self, path: str, target: KernelObject) -> None:
        """Give an object a path, which holds a reference.

        EEXIST, ENOENT without its directory, ENOTDIR below a pin, EPERM for a name with a dot and outside of
        every tree, ENAMETOOLONG.
        """
        place = self._free_place(path)
        target.get()
        target.opened()
        self._pins[place] = target

    def get(self, path: str) -> KernelObject:
        """Return the object at a path, with a reference taken; errors as `pin`, EACCES for what is no pin."""
        place = self._resolve(path)
        refuse_if(place in self._directories, Errno.EACCES)
        if self._outside(place):
            raise Refusal(Errno.EACCES if path and Path(place).exists() else Errno.ENOENT)
        self._check_name(place)
        found = self._pins.get(place)
        if found is None:
            raise Refusal(Errno.ENOENT)
        refuse_if(path.endswith("/"), Errno.ENOTDIR)
        found.get()
        return found

    def unlink(self, path: str) -> None:
        """Remove a pin; ENOENT, EISDIR for a directory."""
        place = self._resolve(path)
        refuse_if(place in self._directories, Errno.EISDIR)
        found = self._pins.pop(place, None)
        if found is None:
            raise Refusal(Errno.ENOENT)
        found.closed()
        found.put()

    def unmount_all(self) -> None:
        """Remove every pin and tree."""
        for place in list(self._pins):
            self.unlink(str(place))
        self._directories.clear()

    def _free_place(self, path: str) -> PurePosixPath:
        place = self._resolve(path)
        refuse_if(place in self._pins or place in self._directories, Errno.EEXIST)
        if self._outside(place):
            raise Refusal(_foreign_errno(path, Path(place)))
        self._check_name(place)
        return place

    def _resolve(self, path: str) -> PurePosixPath:
        return PurePosixPath(posixpath.normpath(posixpath.join(Path.cwd(), path)))

    def _outside(self, place: PurePosixPath) -> bool:
        return self._directories.isdisjoint(place.parents)

    def _check_name(self, place: PurePosixPath) -> None:
        refuse_if(not self._pins.keys().isdisjoint(place.parents), Errno.ENOTDIR)
        refuse_if(place.parent not in self._directories, Errno.ENOENT)
        refuse_if(len(place.name) > NAME_MAX, Errno.ENAMETOOLONG)
        refuse_if("." in place.name, Errno.EPERM)


def _foreign_errno(path: str, place: Path) -> Errno:
    """Say why a path outside of every tree cannot be a pin."""
    if path and place.exists():
        return Errno.EEXIST
    return Errno.EPERM if path and place.parent.is_dir() else Errno.ENOENT
