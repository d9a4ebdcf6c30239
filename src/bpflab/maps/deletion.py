"""Deleting single elements, and taking them out: read and deleted in one step."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.maps.codecs.base import UNFIT
from bpflab.maps.elements import ENOENT, ElementMap, LookupMap

K = TypeVar("K")
V = TypeVar("V")

_MISSING: Final[Any] = object()


class DeleteMap(ElementMap[K, V]):
    """Elements can be deleted."""

    def __delitem__(self, key: K) -> None:
        if not self.delete(key):
            raise self.error(Command.MAP_DELETE_ELEM, Errno.ENOENT, key)

    def delete(self, key: K) -> bool:
        """Delete an element; False when the map has no such key."""
        try:
            slot = self._pop()
        except IndexError:
            slot = self._new_slot()
        try:
            slot.key[0] = key
        except UNFIT as reason:
            raise self._unfit("key", self.shape.key, key, reason) from None
        errno = self._settle(slot.delete) if slot.delete() < 0 else 0
        self._give(slot)
        if errno and errno != ENOENT:
            raise self.error(Command.MAP_DELETE_ELEM, errno, key)
        return not errno


class TakeMap(LookupMap[K, V], DeleteMap[K, V]):
    """Elements can be read and deleted in one step (Linux 5.14 for hash maps)."""

    def lookup_and_delete(self, key: K, *, flags: int = 0) -> V | None:
        """Delete an element and return its value; None when the map has no such key.

        One step where the kernel has it for the type; else a lookup and a delete, between which a program can write.
        """
        slot = self._keyed(key)
        if flags:
            slot.attr["flags"] = flags
        errno = self._settle(slot.take) if slot.take() < 0 else 0
        value: V | None = None if errno else slot.value[0]
        if flags:
            slot.attr["flags"] = 0
        self._give(slot)
        if errno in NO_TAKE:
            value = self.lookup(key, flags=flags)
            return value if value is not None and self.delete(key) else None
        if errno and errno != ENOENT:
            raise self.error(Command.MAP_LOOKUP_AND_DELETE_ELEM, errno, key)
        return value

    def pop(self, key: K, default: Any = _MISSING) -> Any:  # noqa: ANN401 - V or the default's type, as dict.pop
        """Delete an element and return its value; the default, or else MapKeyError, when there is no such key."""
        value = self.lookup_and_delete(key)
        if value is not None:
            return value
        if default is _MISSING:
            raise self.error(Command.MAP_LOOKUP_AND_DELETE_ELEM, Errno.ENOENT, key)
        return default


NO_TAKE: Final = frozenset({Errno.ENOTSUPP, Errno.EOPNOTSUPP, Errno.EINVAL})
"""What a kernel answers to LOOKUP_AND_DELETE for a type for which it has none."""
