"""Queues, stacks and bloom filters: maps without keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.flags import UpdateFlag
from bpflab.maps.codecs.base import UNFIT
from bpflab.maps.elements import ElementMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

V = TypeVar("V")


class KeylessMap(ElementMap[None, V], Generic[V]):
    """A map of values without keys."""

    def _put(self, value: V, flags: int) -> None:
        slot = self._take()
        try:
            slot.value[0] = value
        except UNFIT as reason:
            raise self._unfit("value", self.shape.value, value, reason) from None
        slot.attr["flags"] = flags
        errno = self._settle(slot.update) if slot.update() < 0 else 0
        slot.attr["flags"] = 0
        self._give(slot)
        if errno:
            raise self.error(Command.MAP_UPDATE_ELEM, errno, value)


class Queue(KeylessMap[V]):
    """QUEUE: values come out in the order in which they were put in."""

    def push(self, value: V, *, replace_oldest: bool = False) -> None:
        """Put a value in; MapFullError when there are max_entries, unless the oldest is to make place."""
        self._put(value, UpdateFlag.EXIST if replace_oldest else UpdateFlag.ANY)

    def extend(self, values: Iterable[V]) -> None:
        """Put in one value after the other."""
        for value in values:
            self.push(value)

    def peek(self) -> V | None:
        """Return the value that `pop` would return, and leave it there; None when the map is empty."""
        slot = self._take()
        errno = self._settle(slot.lookup) if slot.lookup() < 0 else 0
        value: V | None = None if errno else slot.value[0]
        self._give(slot)
        if errno not in {0, Errno.ENOENT}:
            raise self.error(Command.MAP_LOOKUP_ELEM, errno)
        return value

    def pop(self) -> V | None:
        """Take out the next value and return it; None when the map is empty."""
        slot = self._take()
        errno = self._settle(slot.take) if slot.take() < 0 else 0
        value: V | None = None if errno else slot.value[0]
        self._give(slot)
        if errno not in {0, Errno.ENOENT}:
            raise self.error(Command.MAP_LOOKUP_AND_DELETE_ELEM, errno)
        return value

    def drain(self) -> Iterator[V]:
        """Take out one value after the other, at most max_entries of them."""
        for _ in range(self.max_entries):
            value = self.pop()
            if value is None:
                return
            yield value


class Stack(Queue[V]):
    """STACK: the value that was put in last comes out first. A full one that replaces drops its oldest value."""


class BloomFilter(KeylessMap[V]):
    """BLOOM_FILTER: `value in m` is never wrong when it says no, and sometimes when it says yes.

    Nothing can be taken out. `map_extra` is the number of hash functions; `max_entries` how many values it is made for.
    """

    def add(self, value: V) -> None:
        """Put a value in."""
        self._put(value, UpdateFlag.ANY)

    def update(self, values: Iterable[V]) -> None:
        """Put in all values."""
        for value in values:
            self.add(value)

    def __contains__(self, value: object) -> bool:
        slot = self._take()
        try:
            slot.value[0] = value
        except UNFIT as reason:
            raise self._unfit("value", self.shape.value, value, reason) from None
        errno = self._settle(slot.lookup) if slot.lookup() < 0 else 0
        self._give(slot)
        if errno not in {0, Errno.ENOENT}:
            raise self.error(Command.MAP_LOOKUP_ELEM, errno, value)
        return not errno
