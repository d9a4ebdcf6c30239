"""Arrays whose elements are kernel objects, put in by descriptor: programs, perf events, cgroups."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.errno import Errno
from bpflab.sim.maps.array import IndexedMap
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.objects import KernelObject


class SlotMap(IndexedMap):
    """An array of references, most of them empty. A lookup by the system call gives the object's id."""

    too_big: ClassVar[frozenset[str]] = frozenset()
    shows_ids: ClassVar[bool] = True

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.slots: dict[int, KernelObject] = {}

    def find(self, fd: int) -> KernelObject:
        """Return the object that a descriptor puts into this map, with a reference taken; or refuse."""
        raise NotImplementedError

    def at(self, key: bytes) -> KernelObject | None:
        """Return what is at an index."""
        return self.slots.get(self.index(key))

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Put the object of a descriptor at an index, whatever was there."""
        if flags:
            return -Errno.EINVAL
        index = self.index(key)
        if index >= self.max_entries:
            return -Errno.E2BIG
        found = self.find(int.from_bytes(value[:4], self.byteorder))
        old = self.slots.get(index)
        self.slots[index] = found
        if old is not None:
            old.put()
        return 0

    def delete(self, key: bytes) -> int:
        """Empty a slot; ENOENT when it is empty."""
        index = self.index(key)
        if index >= self.max_entries:
            return -Errno.E2BIG
        old = self.slots.pop(index, None)
        if old is None:
            return -Errno.ENOENT
        old.put()
        return 0

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return the id of the object; ENOENT for an empty slot, ENOTSUPP for objects without id."""
        del flags
        if not self.shows_ids:
            raise Refusal(Errno.ENOTSUPP)
        found = self.at(key)
        if found is None:
            raise Refusal(Errno.ENOENT)
        return found.id.to_bytes(4, self.byteorder)

    def clear(self) -> None:
        """Empty every slot."""
        slots, self.slots = self.slots, {}
        for found in slots.values():
            found.put()

    def free(self) -> None:
        """Give the objects back."""
        self.clear()
        super().free()
