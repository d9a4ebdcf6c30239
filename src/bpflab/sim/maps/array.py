"""ARRAY: values in one block of memory, by index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.base import EXIST, LOCK, NOEXIST, SimMap
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.memory import Region


class IndexedMap(SimMap):
    """Keys are 4-byte indexes below max_entries, all of them always there."""

    def index(self, key: bytes) -> int:
        """Return the index that a key means, in the target's byte order."""
        return int.from_bytes(key[:4], self.byteorder)

    def next_key(self, key: bytes | None) -> bytes:
        """Return the following index; 0 for a key past the end; ENOENT after the last."""
        index = -1 if key is None else self.index(key)
        if index >= self.max_entries:
            index = -1
        if index == self.max_entries - 1:
            raise Refusal(Errno.ENOENT)
        return (index + 1).to_bytes(4, self.byteorder)

    def check_update(self, index: int, flags: int) -> int:
        """0 when an update with these flags may go on, else its negative errno."""
        if flags & ~LOCK > EXIST:
            return -Errno.EINVAL
        if index >= self.max_entries:
            return -Errno.E2BIG
        return -Errno.EEXIST if flags & NOEXIST else 0


class ArrayMap(IndexedMap):
    """ARRAY. Every value has its own region, made when a program first asks for it."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._data = memoryview(bytearray(spec.stride * spec.max_entries))
        self._regions: dict[int, Region] = {}

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Keys of 4 bytes; a value and an element at least."""
        refuse_if(spec.max_entries == 0 or spec.key_size != 4 or spec.value_size == 0)

    def value(self, index: int) -> memoryview:
        """Return the bytes of one value."""
        start = index * self.spec.stride
        return self._data[start : start + self.value_size]

    def direct_value(self, offset: int) -> int | None:
        """Return the address of a byte of the only value; None for an array of several."""
        if self.max_entries != 1:
            return None
        return self.lookup(bytes(4)) + offset if offset < self.value_size else 0

    def lookup(self, key: bytes) -> int:
        """Return the address of the value at an index; 0 past the end."""
        index = self.index(key)
        region = self._regions.get(index)
        if region is None:
            if index >= self.max_entries:
                return 0
            region = self._regions[index] = self.add_region(self.value(index))
        return region.address

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Copy the value to its index; it cannot be inserted, so NOEXIST is EEXIST."""
        index = self.index(key)
        refused = self.check_update(index, flags)
        if not refused:
            self.value(index)[:] = value
        return refused

    def delete(self, key: bytes) -> int:
        """Refuse: an array's elements cannot be removed."""
        del key
        return -Errno.EINVAL

    def elements(self) -> Iterator[tuple[bytes, int]]:
        """All indexes in order."""
        for index in range(self.max_entries):
            key = index.to_bytes(4, self.byteorder)
            yield key, self.lookup(key)

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return a copy of the value; ENOENT past the end."""
        del flags
        index = self.index(key)
        refuse_if(index >= self.max_entries, Errno.ENOENT)
        return bytes(self.value(index))

    def free(self) -> None:
        """Take the values out of memory."""
        for region in self._regions.values():
            self.kernel.memory.retire(region)
        super().free()


TYPES = {MapType.ARRAY: ArrayMap}
