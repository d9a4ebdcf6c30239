"""Storage that belongs to an object: SK_STORAGE, INODE_STORAGE, TASK_STORAGE, CGRP_STORAGE.

The system call's key is a descriptor of the object. Objects here are those of the process, told
apart by the file behind the descriptor; a program names one by its address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps import record
from bpflab.sim.maps.base import EXIST, LOCK, NOEXIST, SimMap
from bpflab.sim.maps.element import Element
from bpflab.sim.memory import FIRST_LASTING
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.targets import cgroup, file_identity, process_of, socket_cookie

if TYPE_CHECKING:
    from collections.abc import Hashable

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec

MAX_VALUE: Final = 65407
"""What a u16 can count less the element's head (linux/bpf_local_storage.h, BPF_LOCAL_STORAGE_MAX_VALUE_SIZE)."""


class StorageMap(SimMap):
    """A value for each object that was given one."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._values: dict[Hashable, Element] = {}

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, a map without BTF, and (E2BIG) too large a value."""
        super().check(spec)
        refuse_if(not (spec.btf_key_type_id and spec.btf_value_type_id))
        refuse_if(spec.value_size > MAX_VALUE, Errno.E2BIG)

    def owner(self, fd: int) -> Hashable:
        """Return what tells the object of a descriptor from others; EBADF."""
        return file_identity(fd)

    def value_of(self, owner: Hashable) -> Element | None:
        """Return the value of an object, None when it has none: what *_storage_get looks for."""
        return self._values.get(owner)

    def make_value(self, owner: Hashable, initial: bytes | None = None) -> Element:
        """Give an object a value, all zero unless one is given."""
        element = Element(b"", bytearray(self.value_size))
        if initial is not None:
            record.store(self.fields, element.data, initial)
        self._values[owner] = element
        return element

    def drop(self, owner: Hashable) -> int:
        """Take an object's value away; ENOENT."""
        element = self._values.pop(owner, None)
        if element is None:
            return -Errno.ENOENT
        element.retire(self)
        return 0

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return the value of an object; ENOENT."""
        del flags
        element = self._values.get(self._owner(key))
        if element is None:
            raise Refusal(Errno.ENOENT)
        return record.without(self.fields, bytes(element.data))

    def sys_update(self, key: bytes, value: bytes, flags: int) -> int:
        """Give an object a value."""
        owner = self._owner(key)
        if flags & ~LOCK > EXIST:
            return -Errno.EINVAL
        old = self._values.get(owner)
        if old is not None and flags & NOEXIST:
            return -Errno.EEXIST
        if old is None and flags & EXIST:
            return -Errno.ENOENT
        if old is None:
            self.make_value(owner, value)
        else:
            record.store(self.fields, old.data, value)
        return 0

    def sys_delete(self, key: bytes) -> int:
        """Take an object's value away; ENOENT."""
        return self.drop(self._owner(key))

    def next_key(self, key: bytes | None) -> NoReturn:
        """Refuse: objects are not listed."""
        del key
        raise Refusal(Errno.ENOTSUPP)

    def free(self) -> None:
        """Take the values out of memory."""
        for element in self._values.values():
            element.retire(self)
        super().free()

    def _owner(self, key: bytes) -> Hashable:
        fd = int.from_bytes(key, self.byteorder, signed=True)
        return self.kernel.world.identity_of(fd) if fd >= FIRST_LASTING else self.owner(fd)


class SkStorageMap(StorageMap):
    """SK_STORAGE."""

    def owner(self, fd: int) -> Hashable:
        """Return a socket's cookie."""
        return socket_cookie(fd)[1]

    def _owner(self, key: bytes) -> Hashable:
        # A socket of the world has no descriptor: its cookie stands for it.
        cookie = int.from_bytes(key, self.byteorder, signed=True)
        return cookie if any(sock.cookie == cookie for sock in self.kernel.world.sockets) else super()._owner(key)


class TaskStorageMap(StorageMap):
    """TASK_STORAGE."""

    def owner(self, fd: int) -> Hashable:
        """Return the task of the world that a pidfd's process stands for, or else the process itself."""
        pid = process_of(fd)
        found = next((task for task in self.kernel.world.tasks if task.pid == pid), None)
        return file_identity(fd) if found is None else found.address


class CgrpStorageMap(StorageMap):
    """CGRP_STORAGE."""

    def owner(self, fd: int) -> Hashable:
        """Return a cgroup's identity."""
        return cgroup(fd).identity


TYPES = {
    MapType.SK_STORAGE: SkStorageMap,
    MapType.INODE_STORAGE: StorageMap,
    MapType.TASK_STORAGE: TaskStorageMap,
    MapType.CGRP_STORAGE: CgrpStorageMap,
}
