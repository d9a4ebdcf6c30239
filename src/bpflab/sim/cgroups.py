"""Cgroups of the simulated world, that tasks are in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.sim.structs import KernelStruct
    from bpflab.sim.world import World

ROOT_ID: Final = 1
"""The id of the root of the tree (its inode)."""


@dataclass(slots=True)
class Cgroup:
    """A cgroup of a world: its id, the one above it (None for the root), the directory that stands for it, if any does.

    Maps name a cgroup by a descriptor of a directory; `identity` is that directory's device and inode.
    """

    world: World = field(repr=False)
    id: int
    name: str = ""
    parent: Cgroup | None = None
    identity: tuple[int, int] | None = None
    laid_out: KernelStruct | None = field(default=None, repr=False)

    @property
    def way(self) -> tuple[Cgroup, ...]:
        """The cgroups from the root to this one."""
        return (*(self.parent.way if self.parent is not None else ()), self)

    @property
    def level(self) -> int:
        """How many are above it: 0 for the root."""
        return len(self.way) - 1

    @property
    def struct(self) -> KernelStruct:
        """Its `struct cgroup`, laid out when it is first asked for; ArgumentError without BTF."""
        if self.laid_out is None:
            node = self.world.struct("kernfs_node", id=self.id, name=self.name)
            self.laid_out = self.world.struct("cgroup", kn=node, level=self.level)
        return self.laid_out

    def __int__(self) -> int:
        return self.struct.address

    __index__ = __int__


def identity_of(directory: str | Path) -> tuple[int, int]:
    """Return what tells a directory from others: device and inode; OSError when it is not there."""
    status = Path(directory).stat()
    return status.st_dev, status.st_ino
