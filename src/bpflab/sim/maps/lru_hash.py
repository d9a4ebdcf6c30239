"""LRU_HASH and LRU_PERCPU_HASH: never full, the keys not looked up for long make room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType
from bpflab.sim.maps import record, rules
from bpflab.sim.maps.base import EXIST
from bpflab.sim.maps.element import Element
from bpflab.sim.maps.hash import KeyedMap
from bpflab.sim.maps.lru import CommonLru, Lru, PerCpuLru
from bpflab.sim.maps.percpu_hash import PerCpuKeyedMap
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.percpu import PerCpuValue
    from bpflab.sim.maps.ring import Node
    from bpflab.sim.maps.spec import MapSpec

NO_PREALLOC: Final = int(MapFlag.NO_PREALLOC)
NUMA_NODE: Final = int(MapFlag.NUMA_NODE)


class LruKeyedMap(KeyedMap):
    """What both share: nodes from the LRU lists, marked when a program looks their element up."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        cpus = kernel.machine.possible_cpus
        own_lists = spec.flags & MapFlag.NO_COMMON_LRU
        if own_lists:
            self.max_entries = -(-spec.max_entries // cpus) * cpus
        kind = PerCpuLru if own_lists else CommonLru
        self.lru: Lru = kind(self.max_entries, cpus, self._evict)

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do; ENOTSUPP for NO_PREALLOC."""
        if spec.flags & NO_PREALLOC:
            rules.check_flags(spec.flags & ~(NO_PREALLOC | NUMA_NODE), RULES[spec.type])
            raise Refusal(Errno.ENOTSUPP)
        super().check(spec)

    def lookup(self, key: bytes) -> int:
        """Return the address of the value and mark it as referenced; 0 when the key is not there."""
        element = self.table.get(key)
        if element is None or element.node is None:
            return 0
        element.node.referenced = True
        return element.address(self)

    def delete(self, key: bytes) -> int:
        """Remove; ENOENT."""
        element = self.table.get(key)
        if element is None:
            return -Errno.ENOENT
        self.take_out(element)
        if element.node is not None:
            self.lru.give_back(element.node)
        return 0

    def fresh(self) -> Element:
        """Make an element, all zero."""
        return Element(b"", bytearray(self.value_size))

    def take(self, key: bytes) -> Element | None:
        """Return an element for a key, that is not in the table yet; None when there is no memory for it."""
        node = self.lru.take(self.kernel.cpu)
        if node is None:
            return None
        element = node.element
        if element is None:
            element = node.element = self.fresh()
            element.node = node
        element.key = key
        return element

    def _evict(self, node: Node) -> None:
        if node.element is not None and self.table.get(node.element.key) is node.element:
            self.take_out(node.element)

    def free(self) -> None:
        """Take the values out of memory."""
        self.lru = PerCpuLru(0, 1, self._evict)
        super().free()


class LruHashMap(LruKeyedMap):
    """LRU_HASH. Room is made before the flags are looked at, so a refused update may evict a key."""

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Insert or replace; ENOMEM when no element can be evicted."""
        if flags > EXIST:
            return -Errno.EINVAL
        new = self.take(key)
        if new is None or new.node is None:
            return -Errno.ENOMEM
        record.store(self.fields, new.data, value)
        old = self.table.get(key)
        refused = self.check_flags(old, flags)
        if refused:
            self.lru.give_back(new.node)
        elif old is None:
            self.insert(new)
        else:
            self._replace(old, new)
        return refused

    def _replace(self, old: Element, new: Element) -> None:
        self.table[new.key] = new
        self.chain.replace(old, new)
        self.drop_fields(old.data, old.region)
        if old.node is not None and new.node is not None:
            new.node.referenced = True
            self.lru.give_back(old.node)


class LruPerCpuHashMap(LruKeyedMap, PerCpuKeyedMap):
    """LRU_PERCPU_HASH."""

    def fresh(self) -> Element:
        """Make an element, all zero."""
        return self.new_element(b"")

    def lookup_percpu(self, key: bytes, cpu: int) -> int:
        """Return the address of a CPU's value; 0 when the key is not there or there is no such CPU."""
        element = self.table.get(key)
        if element is None or element.node is None or cpu >= self.kernel.machine.possible_cpus:
            return 0
        element.node.referenced = True
        return self.values(element).address(self, cpu)

    def write(self, key: bytes, flags: int, store: Callable[[PerCpuValue], None]) -> int:
        """Find or insert the element, ENOMEM when none can be evicted."""
        if flags > EXIST:
            return -Errno.EINVAL
        new = self.take(key) if flags != EXIST else None
        if flags != EXIST and new is None:
            return -Errno.ENOMEM
        element = self.table.get(key)
        refused = self.check_flags(element, flags)
        if not refused and element is None and new is not None:
            self.values(new).clear()
            self.insert(new)
            store(self.values(new))
            return 0
        if element is not None and not refused:
            store(self.values(element))
            if element.node is not None:
                element.node.referenced = True
        if new is not None and new.node is not None:
            self.lru.give_back(new.node)
        return refused


TYPES = {MapType.LRU_HASH: LruHashMap, MapType.LRU_PERCPU_HASH: LruPerCpuHashMap}
