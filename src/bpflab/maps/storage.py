"""Storage that hangs on kernel objects: sockets, tasks, inodes, cgroups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from bpflab.errors import ArgumentError
from bpflab.maps.codecs.percpu import PerCpuValues
from bpflab.maps.codecs.references import CgroupKey, CgroupKeyCodec, ReferenceCodec
from bpflab.maps.deletion import DeleteMap
from bpflab.maps.elements import LookupMap, UpdateMap
from bpflab.maps.walkable import WalkableMap

if TYPE_CHECKING:
    from bpflab.abi.map_types import MapType
    from bpflab.maps.choice import Surroundings
    from bpflab.maps.codecs.base import BaseCodec

V = TypeVar("V")


class LocalStorage(LookupMap[Any, V], UpdateMap[Any, V], DeleteMap[Any, V]):
    """A value for each object that has been given one, and that goes with the object.

    Keys are objects with `fileno()`, or descriptors. The kernel offers no walk over them.
    """

    WHAT: ClassVar[str]

    @classmethod
    def key_codec(cls, kind: MapType, given: object, around: Surroundings) -> BaseCodec[Any]:
        """Make the codec of a descriptor."""
        if given not in {None, 4, "u32", "s32"}:
            raise ArgumentError(f"key is {given!r}, and the keys of a {kind.name} map are {cls.WHAT}s; leave it out.")
        return ReferenceCodec(cls.WHAT, around.byteorder)

    @classmethod
    def key_hint(cls, size: int, typed: object) -> object:  # noqa: ARG003 - goes by the size
        """Take the key's size."""
        return size


class SkStorage(LocalStorage[V]):
    """SK_STORAGE: a value for each socket."""

    WHAT = "socket"


class TaskStorage(LocalStorage[V]):
    """TASK_STORAGE: a value for each task; keys are pidfds (`os.pidfd_open`)."""

    WHAT = "pidfd"


class InodeStorage(LocalStorage[V]):
    """INODE_STORAGE: a value for each inode; keys are open files."""

    WHAT = "open file"


class CgrpStorage(LocalStorage[V]):
    """CGRP_STORAGE: a value for each cgroup; keys are cgroup directories that were opened."""

    WHAT = "cgroup directory"


class CgroupStorage(UpdateMap[CgroupKey, V], WalkableMap[CgroupKey, V]):
    """CGROUP_STORAGE: a value for each cgroup and attach type to which a program with this map is attached.

    The kernel makes and removes the entries as programs are attached and detached; they can be read and overwritten.
    Newer programs use CGRP_STORAGE.
    """

    @classmethod
    def key_codec(cls, kind: MapType, given: object, around: Surroundings) -> BaseCodec[Any]:
        """Make the codec of a `CgroupKey`."""
        if given not in {None, 8, 16, "u64"}:
            raise ArgumentError(
                f"key is {given!r}; a {kind.name} map has keys of 16 bytes (CgroupKey) or 8 (a cgroup)."
            )
        return CgroupKeyCodec(around.byteorder, 16 if given in {None, 16} else 8)

    @classmethod
    def key_hint(cls, size: int, typed: object) -> object:  # noqa: ARG003 - goes by the size
        """Take the key's size."""
        return size


class PerCpuCgroupStorage(CgroupStorage[PerCpuValues[V]]):
    """PERCPU_CGROUP_STORAGE: a CGROUP_STORAGE with a value for every possible CPU."""
