"""ARRAY: values in one block of memory, by index."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.maps import record, rules
from bpflab.sim.maps.base import EXIST, LOCK, NOEXIST, SimMap
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.shared import SharedMemory, page_aligned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.btf import SimBtf
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec, MapTraits
    from bpflab.sim.memory import Region

INT_MAX: Final = (1 << 31) - 1


class IndexedMap(SimMap):
    """Keys are 4-byte indexes below max_entries, all of them always there."""

    def index(self, key: bytes) -> int:
        """Return the index that a key means, in the target's byte order."""
        return int.from_bytes(key[:4], self.byteorder)

    def check_btf(self, btf: SimBtf) -> None:
        """Refuse (EINVAL) a key that is no 4-byte integer; a section of variables needs none."""
        from bpflab.obj.btf_layout import resolve
        from bpflab.obj.btf_types import Int

        spec, types = self.spec, btf.types
        if not spec.btf_key_type_id:
            section = types.kind(resolve(types, spec.btf_value_type_id)) == BtfKind.DATASEC
            refuse_if(self.type != MapType.ARRAY or self.max_entries != 1 or not section)
            return
        key = types[resolve(types, spec.btf_key_type_id)]
        refuse_if(not isinstance(key, Int) or (key.bits, key.offset) != (32, 0))

    def next_key(self, key: bytes | None) -> bytes:
        """Return the following index; 0 for a key past the end; ENOENT after the last."""
        index = -1 if key is None else self.index(key)
        if index >= self.max_entries:
            index = -1
        if index == self.max_entries - 1:
            raise Refusal(Errno.ENOENT)
        return (index + 1).to_bytes(4, self.byteorder)

    def fits(self, template: MapTraits) -> bool:
        """Tell whether it fits a template; the number of entries counts unless the map is INNER_MAP."""
        same = self.max_entries == template.max_entries or bool(self.flags & MapFlag.INNER_MAP)
        return same and super().fits(template)


class ArrayMap(IndexedMap):
    """ARRAY. Every value has its own region, made when a program first asks for it."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        size = spec.stride * spec.max_entries
        rules.check_memory(size)
        self._shared = SharedMemory(size) if spec.flags & MapFlag.MMAPABLE else None
        self._data = self._shared.view if self._shared else memoryview(bytearray(size))
        self._regions: dict[int, Region] = {}

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, and (E2BIG) a value over INT_MAX bytes."""
        super().check(spec)
        refuse_if(spec.value_size > INT_MAX, Errno.E2BIG)

    def value(self, index: int) -> memoryview:
        """Return the bytes of one value."""
        start = index * self.spec.stride
        return self._data[start : start + self.value_size]

    def content_hash(self) -> bytes:
        """Return the SHA-256 of all values with what fills them up; EPERM until the map is frozen."""
        refuse_if(not self.frozen, Errno.EPERM)
        return hashlib.sha256(self._data[: self.spec.stride * self.max_entries]).digest()

    def shared(self) -> SharedMemory:
        """Return the values' memory; EINVAL for an array that is not MMAPABLE."""
        if self._shared is None:
            raise Refusal(Errno.EINVAL)
        return self._shared

    def check_map(self, offset: int, length: int, *, writable: bool) -> None:
        """Refuse a mapping past the end."""
        del writable
        refuse_if(offset + page_aligned(length) > self.shared().size)

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
        if flags & ~LOCK > EXIST:
            return -Errno.EINVAL
        index = self.index(key)
        if index >= self.max_entries:
            return -Errno.E2BIG
        if flags & NOEXIST:
            return -Errno.EEXIST
        if flags & LOCK and not self.has_lock:
            return -Errno.EINVAL
        place = self.value(index)
        record.store(self.fields, place, value)
        self.drop_fields(place, self._regions.get(index))
        return 0

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
        return record.without(self.fields, bytes(self.value(index)))

    def free(self) -> None:
        """Take the values out of memory."""
        for region in self._regions.values():
            self.kernel.memory.retire(region)
        if self._shared is not None:
            self._shared.close()
        super().free()


TYPES = {MapType.ARRAY: ArrayMap}
