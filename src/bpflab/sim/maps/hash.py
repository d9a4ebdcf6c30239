"""HASH, and what all hash maps share.

As in the kernel, an update of a key that is there puts a new element in the place of the old one:
a program that still holds the old value's address goes on reading the old value. A map that is not
NO_PREALLOC owns its elements for good and hands removed ones out again (the last removed first), so
such an address may come to show another key's value; nothing is ever freed under a program.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.maps import record, rules
from bpflab.sim.maps.base import EXIST, LOCK, NOEXIST, SimMap
from bpflab.sim.maps.batch import by_place
from bpflab.sim.maps.chain import Chain
from bpflab.sim.maps.element import Element
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.request import Request

HEADER: Final = 48
"""Bytes of struct htab_elem, beside which key and value have to fit (kernel/bpf/hashtab.c)."""

MAX_BUCKETS: Final = (1 << 32) // 16 - 1
"""Buckets of 16 bytes whose size a u32 counts; there is a power of two of them."""


class KeyedMap(SimMap):
    """A dict of elements, chained in the order of insertion."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.table: dict[bytes, Element] = {}
        self.chain = Chain()
        self._cursor: Element | None = None

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, and (E2BIG) what the kernel could not allocate."""
        super().check(spec)
        rules.check_element_size(spec, HEADER)
        refuse_if(1 << (spec.max_entries - 1).bit_length() > MAX_BUCKETS, Errno.E2BIG)
        if not spec.flags & MapFlag.NO_PREALLOC:
            rules.check_preallocated(spec, HEADER)

    def check_flags(self, old: Element | None, flags: int) -> int:
        """Return 0 when an update with these flags may go on, else its negative errno."""
        if old is not None and flags & NOEXIST:
            return -Errno.EEXIST
        return -Errno.ENOENT if old is None and flags & EXIST else 0

    def next_key(self, key: bytes | None) -> bytes:
        """Return the key inserted after this one."""
        element = None if key is None else self.table.get(key)
        following = self.chain.first() if element is None else self.chain.following(element)
        if following is None:
            raise Refusal(Errno.ENOENT)
        return following.key

    def elements(self) -> Iterator[tuple[bytes, int]]:
        """Every element; one that is removed meanwhile is left out, or not."""
        for element in self.chain:
            yield element.key, element.address(self)

    def user_value(self, element: Element) -> bytes:
        """Return a value as user space gets it."""
        return record.without(self.fields, bytes(element.data))

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return a copy of the value; ENOENT."""
        del flags
        element = self.table.get(key)
        if element is None:
            raise Refusal(Errno.ENOENT)
        return self.user_value(element)

    def sys_lookup_and_delete(self, key: bytes, flags: int) -> bytes:
        """Remove and return a copy of the value; ENOENT."""
        value = self.sys_lookup(key, flags)
        self.delete(key)
        return value

    def batch_lookup(self, request: Request, *, delete: bool) -> int:
        """Walk by the order of insertion."""
        return by_place(self, request, delete=delete)

    def from_place(self, place: int, count: int) -> list[Element]:
        """Return up to `count` elements that were inserted after the one with this number."""
        found = list(islice(self.chain.after_number(place, self._cursor), count))
        if found:
            self._cursor = found[-1]
        return found

    def more_after(self, element: Element) -> bool:
        """Tell whether there are elements behind this one."""
        return self.chain.following(element) is not None

    def insert(self, element: Element) -> None:
        """Put a new element into table and chain."""
        self.table[element.key] = element
        self.chain.append(element)

    def take_out(self, element: Element) -> None:
        """Take an element out of table and chain, and cancel what is under way in its value."""
        del self.table[element.key]
        self.chain.remove(element)
        self.drop_fields(element.data, element.region)

    def free(self) -> None:
        """Take the values out of memory."""
        for element in self.chain:
            element.retire(self)
        super().free()


class HashMap(KeyedMap):
    """HASH."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._keeps = not spec.flags & MapFlag.NO_PREALLOC
        self._free: list[Element] = []
        self._spare: Element | None = None

    def lookup(self, key: bytes) -> int:
        """Return the address of the value; 0 when the key is not there."""
        element = self.table.get(key)
        return 0 if element is None else element.address(self)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Insert or replace; E2BIG when the map is full."""
        if flags & ~LOCK > EXIST or (flags & LOCK and not self.has_lock):
            return -Errno.EINVAL
        old = self.table.get(key)
        refused = self.check_flags(old, flags)
        if refused:
            return refused
        if old is None:
            if len(self.table) >= self.max_entries:
                return -Errno.E2BIG
            self.insert(self._fill(self._free.pop() if self._free else None, key, value))
        elif flags & LOCK:
            record.store(self.fields, old.data, value)
            self.drop_fields(old.data, old.region)
        else:
            self._replace(old, value)
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
        for element in [*self._free, *([self._spare] if self._spare else [])]:
            element.retire(self)
        super().free()

    def _fill(self, element: Element | None, key: bytes, value: bytes) -> Element:
        if element is None:
            element = Element(key, bytearray(self.value_size))
        element.key = key
        record.store(self.fields, element.data, value)
        return element

    def _replace(self, old: Element, value: bytes) -> None:
        new = self._fill(self._spare, old.key, value)
        self.table[old.key] = new
        self.chain.replace(old, new)
        self.drop_fields(old.data, old.region)
        if self._keeps:
            self._spare = old
        else:
            old.retire(self)


TYPES = {MapType.HASH: HashMap}
