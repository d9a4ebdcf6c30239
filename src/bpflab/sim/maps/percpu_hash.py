"""PERCPU_HASH: a value by key for each CPU.

An update writes into the values that are there. A program's update reaches the CPU it runs on; a
key that it inserts is zero on the others (kernel/bpf/hashtab.c, pcpu_init_value).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.base import EXIST
from bpflab.sim.maps.element import Element
from bpflab.sim.maps.hash import KeyedMap
from bpflab.sim.maps.percpu import PerCpuValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.maps.spec import MapSpec


class PerCpuElement(Element):
    """An element whose address is that of the current CPU's value."""

    __slots__ = ("values",)

    def __init__(self, key: bytes, values: PerCpuValue) -> None:
        super().__init__(key, values.data)
        self.values = values

    def address(self, owner: SimMap) -> int:
        """Return the address of the current CPU's value."""
        return self.values.address(owner, owner.kernel.cpu)

    def retire(self, owner: SimMap) -> None:
        """Give the memory back once no program runs."""
        self.values.retire(owner)


class PerCpuKeyedMap(KeyedMap):
    """What PERCPU_HASH and LRU_PERCPU_HASH share."""

    too_big: ClassVar[frozenset[str]] = frozenset({"value_size"})

    @property
    def user_value_size(self) -> int:
        """A value for each CPU, each rounded up to 8 bytes."""
        return self.spec.stride * self.kernel.machine.possible_cpus

    def user_value(self, element: Element) -> bytes:
        """Return every CPU's value."""
        return self.values(element).all(self.fields)

    def values(self, element: Element) -> PerCpuValue:
        """Return the values of an element of this map."""
        if not isinstance(element, PerCpuElement):
            raise TypeError(f"a per-CPU map holds {element!r}")
        return element.values

    def new_element(self, key: bytes) -> PerCpuElement:
        """Make an element, all zero."""
        return PerCpuElement(key, PerCpuValue(self.value_size, self.kernel.machine.possible_cpus))

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Copy to the current CPU's value, and insert the key if it is not there."""
        return self.write(key, flags, lambda values: values.store(self.kernel.cpu, value, self.fields))

    def sys_update(self, key: bytes, value: bytes, flags: int) -> int:
        """Copy to every CPU's value, and insert the key if it is not there."""
        return self.write(key, flags, lambda values: values.store_all(value, self.fields))

    def write(self, key: bytes, flags: int, store: Callable[[PerCpuValue], None]) -> int:
        """Find or make the element and store into its values: 0, or a negative errno."""
        raise NotImplementedError


class PerCpuHashMap(PerCpuKeyedMap):
    """PERCPU_HASH. Removed elements are handed out again, as in HASH."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._keeps = not spec.flags & MapFlag.NO_PREALLOC
        self._free: list[Element] = []

    def lookup(self, key: bytes) -> int:
        """Return the address of the current CPU's value; 0 when the key is not there."""
        element = self.table.get(key)
        return 0 if element is None else element.address(self)

    def lookup_percpu(self, key: bytes, cpu: int) -> int:
        """Return the address of a CPU's value; 0 when the key is not there or there is no such CPU."""
        element = self.table.get(key)
        if element is None or cpu >= self.kernel.machine.possible_cpus:
            return 0
        return self.values(element).address(self, cpu)

    def write(self, key: bytes, flags: int, store: Callable[[PerCpuValue], None]) -> int:
        """Find or insert the element, E2BIG when the map is full."""
        if flags > EXIST:
            return -Errno.EINVAL
        element = self.table.get(key)
        refused = self.check_flags(element, flags)
        if refused:
            return refused
        if element is None:
            if len(self.table) >= self.max_entries:
                return -Errno.E2BIG
            element = self._take(key)
            self.insert(element)
        store(self.values(element))
        return 0

    def delete(self, key: bytes) -> int:
        """Remove; ENOENT."""
        element = self.table.get(key)
        if element is None:
            return -Errno.ENOENT
        self.take_out(element)
        if self._keeps:
            self._free.append(element)
        else:
            element.retire(self)
        return 0

    def free(self) -> None:
        """Take the values out of memory, those of removed elements too."""
        for element in self._free:
            element.retire(self)
        super().free()

    def _take(self, key: bytes) -> Element:
        if not self._free:
            return self.new_element(key)
        element = self._free.pop()
        element.key = key
        self.values(element).clear()
        return element


TYPES = {MapType.PERCPU_HASH: PerCpuHashMap}
