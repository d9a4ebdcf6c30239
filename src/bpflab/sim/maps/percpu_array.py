"""PERCPU_ARRAY: a value by index for each CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps import rules
from bpflab.sim.maps.array import IndexedMap
from bpflab.sim.maps.base import EXIST, NOEXIST
from bpflab.sim.maps.percpu import PerCpuValue
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec


class PerCpuArrayMap(IndexedMap):
    """PERCPU_ARRAY. Values are made when they are first touched; the others are all zero."""

    too_big: ClassVar[frozenset[str]] = frozenset({"value_size"})

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._values: dict[int, PerCpuValue] = {}
        rules.check_memory(spec.max_entries * self.user_value_size)

    @property
    def user_value_size(self) -> int:
        """A value for each CPU, each rounded up to 8 bytes."""
        return self.spec.stride * self.kernel.machine.possible_cpus

    def lookup(self, key: bytes) -> int:
        """Return the address of the current CPU's value; 0 past the end."""
        return self.lookup_percpu(key, self.kernel.cpu)

    def lookup_percpu(self, key: bytes, cpu: int) -> int:
        """Return the address of a CPU's value; 0 past the end or for a CPU that cannot be."""
        if cpu >= self.kernel.machine.possible_cpus:
            return 0
        value = self._value(self.index(key))
        return 0 if value is None else value.address(self, cpu)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Copy to the current CPU's value."""
        found, refused = self._update(key, flags)
        if found is not None:
            found.store(self.kernel.cpu, value, self.fields)
        return refused

    def sys_update(self, key: bytes, value: bytes, flags: int) -> int:
        """Copy to every CPU's value."""
        found, refused = self._update(key, flags)
        if found is not None:
            found.store_all(value, self.fields)
        return refused

    def delete(self, key: bytes) -> int:
        """Refuse: an array's elements cannot be removed."""
        del key
        return -Errno.EINVAL

    def elements(self) -> Iterator[tuple[bytes, int]]:
        """All indexes in order, with the current CPU's values."""
        for index in range(self.max_entries):
            key = index.to_bytes(4, self.byteorder)
            yield key, self.lookup(key)

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return every CPU's value; ENOENT past the end."""
        del flags
        value = self._value(self.index(key))
        if value is None:
            raise Refusal(Errno.ENOENT)
        return value.all(self.fields)

    def free(self) -> None:
        """Take the values out of memory."""
        for value in self._values.values():
            value.retire(self)
        super().free()

    def _update(self, key: bytes, flags: int) -> tuple[PerCpuValue | None, int]:
        if flags > EXIST:
            return None, -Errno.EINVAL
        value = self._value(self.index(key))
        if value is None:
            return None, -Errno.E2BIG
        return (None, -Errno.EEXIST) if flags == NOEXIST else (value, 0)

    def _value(self, index: int) -> PerCpuValue | None:
        value = self._values.get(index)
        if value is None and index < self.max_entries:
            value = PerCpuValue(self.value_size, self.kernel.machine.possible_cpus)
            self._values[index] = value
        return value


TYPES = {MapType.PERCPU_ARRAY: PerCpuArrayMap}
