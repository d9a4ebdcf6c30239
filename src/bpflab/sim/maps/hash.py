"""HASH: values by key.

As in the kernel, an update of a key that is there puts a new element in the place of the old one:
a program that still holds the old value's address goes on reading the old value. A map that is not
NO_PREALLOC owns its elements for good and hands removed ones out again (the last removed first), so
such an address may come to show another key's value; nothing is ever freed under a program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.base import EXIST, LOCK, NOEXIST, SimMap
from bpflab.sim.maps.chain import Chain
from bpflab.sim.maps.element import Element
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec

MAX_STACK_KEY = 512
"""Programs have their keys on the stack (linux/filter.h, MAX_BPF_STACK)."""


class KeyedMap(SimMap):
    """What the hash maps share: a dict of elements, chained in the order of insertion."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._table: dict[bytes, Element] = {}
        self._chain = Chain()

    def __len__(self) -> int:
        return len(self._table)

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """At least one element, a key and a value."""
        refuse_if(not (spec.max_entries and spec.key_size and spec.value_size))
        refuse_if(spec.key_size + spec.value_size >= (1 << 31) - 1024, Errno.E2BIG)

    def check_flags(self, old: Element | None, flags: int) -> int:
        """0 when an update with these flags may go on, else its negative errno."""
        if flags & ~LOCK > EXIST:
            return -Errno.EINVAL
        if old is not None and flags & NOEXIST:
            return -Errno.EEXIST
        return -Errno.ENOENT if old is None and flags & EXIST else 0

    def next_key(self, key: bytes | None) -> bytes:
        """Return the key inserted after this one."""
        element = None if key is None else self._table.get(key)
        following = self._chain.first() if element is None else self._chain.following(element)
        if following is None:
            raise Refusal(Errno.ENOENT)
        return following.key

    def elements(self) -> Iterator[tuple[bytes, int]]:
        """Every element; one that is removed meanwhile is left out, or not."""
        for element in self._chain:
            yield element.key, element.address(self)


class HashMap(KeyedMap):
    """HASH."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._keeps = not spec.flags & MapFlag.NO_PREALLOC
        self._free: list[Element] = []
        self._spare: Element | None = None

    def lookup(self, key: bytes) -> int:
        """Return the address of the value; 0 when the key is not there."""
        element = self._table.get(key)
        return 0 if element is None else element.address(self)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Insert or replace; E2BIG when the map is full."""
        old = self._table.get(key)
        refused = self.check_flags(old, flags)
        if refused:
            return refused
        if old is None:
            if len(self._table) >= self.max_entries:
                return -Errno.E2BIG
            self._insert(self._take(key, value))
        else:
            self._replace(old, key, value)
        return 0

    def delete(self, key: bytes) -> int:
        """Remove; ENOENT."""
        element = self._table.pop(key, None)
        if element is None:
            return -Errno.ENOENT
        self._chain.remove(element)
        if self._keeps:
            self._free.append(element)
        else:
            element.retire(self)
        return 0

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return a copy of the value; ENOENT."""
        del flags
        element = self._table.get(key)
        if element is None:
            raise Refusal(Errno.ENOENT)
        return bytes(element.data)

    def sys_lookup_and_delete(self, key: bytes, flags: int) -> bytes:
        """Remove and return a copy of the value; ENOENT."""
        value = self.sys_lookup(key, flags)
        self.delete(key)
        return value

    def free(self) -> None:
        """Take the values out of memory."""
        for element in [*self._chain, *self._free, *([self._spare] if self._spare else [])]:
            element.retire(self)
        super().free()

    def _insert(self, element: Element) -> None:
        self._table[element.key] = element
        self._chain.append(element)

    def _take(self, key: bytes, value: bytes) -> Element:
        if not self._free:
            return Element(key, bytearray(value))
        element = self._free.pop()
        element.key, element.data[:] = key, value
        return element

    def _replace(self, old: Element, key: bytes, value: bytes) -> None:
        new = self._spare
        if new is None:
            new = Element(key, bytearray(value))
        else:
            new.key, new.data[:] = key, value
        self._table[key] = new
        self._chain.replace(old, new)
        if self._keeps:
            self._spare = old
        else:
            old.retire(self)


TYPES = {MapType.HASH: HashMap}
