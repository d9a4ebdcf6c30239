"""The operations on single elements: lookup, update, delete, and the mapping's way to say them.

The cheap path of `m[k]` and `m[k] = v` takes a prepared slot from a pool, writes key and value into it and
calls; the rest happens only when the answer is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, overload
from weakref import WeakSet

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.flags import UpdateFlag
from bpflab.abi.map_rules import PLAIN
from bpflab.arguments import check_type
from bpflab.backend.slots import SlotPool
from bpflab.errors import ArgumentError, CodecError
from bpflab.maps.codecs.base import UNFIT
from bpflab.maps.handle import MapHandle
from bpflab.maps.slots import ElementSlot, NextKeySlot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bpflab.backend.base import Backend
    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab
    from bpflab.maps.codecs.base import BaseCodec
    from bpflab.maps.shape import MapShape

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

TRANSIENT: Final = frozenset({Errno.EINTR, Errno.EAGAIN, Errno.EBUSY})
ENOENT: Final = int(Errno.ENOENT)
_MISSING: Final[Any] = object()


class ElementMap(MapHandle[K, V]):
    """A map with elements: the slots through which they are reached."""

    def __init__(self, lab: Lab, descriptor: Descriptor, shape: MapShape) -> None:
        super().__init__(lab, descriptor, shape)
        self._errno = lab.backend.errno
        self._made: WeakSet[ElementSlot | NextKeySlot] = WeakSet()
        self._slots = SlotPool(self._new_slot)
        self._take = self._slots.take
        self._pop = self._slots.pop
        self._give = self._slots.give

    def close(self) -> None:
        """Close this descriptor of the map. The map itself lives while a program, a pin or a descriptor holds it."""
        super().close()
        self._slots.clear()

    def rebind(self) -> None:
        """Take the Lab's backend anew, in every slot that was made, whoever holds it now."""
        super().rebind()
        self._errno = self.lab.backend.errno
        for slot in list(self._made):
            slot.bind(self.lab.backend, quick=self.shape.type in PLAIN)

    def _new_slot(self) -> ElementSlot:
        shape, backend = self.shape, self.lab.backend
        key = shape.key if shape.key_size else None
        slot = ElementSlot(backend, self.fileno(), key, shape.value, quick=shape.type in PLAIN)
        self._enlist(slot, backend)
        return slot

    def _enlist(self, slot: ElementSlot | NextKeySlot, backend: Backend) -> None:
        """Keep a slot that was made for a backend among those which `rebind` reaches."""
        self._made.add(slot)
        if self.lab.backend is not backend:  # changed by another thread before the slot was known
            slot.bind(self.lab.backend, quick=self.shape.type in PLAIN)

    def _keyed(self, key: K) -> ElementSlot:
        """Take a slot and write the key into it. The cheap paths do the same in place: a call costs."""
        try:
            slot = self._pop()
        except IndexError:
            slot = self._new_slot()
        try:
            slot.key[0] = key
        except UNFIT as reason:
            raise self._unfit("key", self.shape.key, key, reason) from None
        return slot

    def _settle(self, call: Callable[[], int]) -> int:
        """Return the errno of a call that answered -1, after the retries it deserves; 0 if one of them succeeded."""
        errno = self._errno()
        if errno in TRANSIENT and self.lab.call.retry.again(call, self._errno) >= 0:
            return 0
        return self._errno()

    def _unfit(self, what: str, codec: BaseCodec[Any], value: object, reason: BaseException) -> CodecError:
        return CodecError(f"The {what} of the {self.shape.label}: {codec.refusal(value, reason)}")


class LookupMap(ElementMap[K, V]):
    """Elements can be read."""

    def __getitem__(self, key: K) -> V:
        try:
            slot = self._pop()
        except IndexError:
            slot = self._new_slot()
        try:
            slot.key[0] = key
        except UNFIT as reason:
            raise self._unfit("key", self.shape.key, key, reason) from None
        if slot.lookup() < 0 and (errno := self._settle(slot.lookup)):
            self._give(slot)
            raise self.error(Command.MAP_LOOKUP_ELEM, errno, key)
        value: V = slot.value[0]
        self._give(slot)
        return value

    def lookup(self, key: K, *, flags: int = 0) -> V | None:
        """Return the key's value, or None when the map has no such key; `flags` may be LOCK."""
        try:
            slot = self._pop()
        except IndexError:
            slot = self._new_slot()
        try:
            slot.key[0] = key
        except UNFIT as reason:
            raise self._unfit("key", self.shape.key, key, reason) from None
        if flags:
            slot.attr["flags"] = flags
        errno = 0 if slot.lookup() >= 0 else self._settle(slot.lookup)
        value: V | None = None if errno else slot.value[0]
        if flags:
            slot.attr["flags"] = 0
        self._give(slot)
        if errno and errno != ENOENT:
            raise self.error(Command.MAP_LOOKUP_ELEM, errno, key)
        return value

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: Any = None) -> Any:
        """Return the key's value, or the default when the map has no such key."""
        value = self.lookup(key)
        return default if value is None else value

    def __contains__(self, key: object) -> bool:
        return self.lookup(key) is not None  # type: ignore[arg-type]  # a key of another type is a CodecError


class UpdateMap(ElementMap[K, V]):
    """Elements can be written."""

    def __setitem__(self, key: K, value: V) -> None:
        try:
            slot = self._pop()
        except IndexError:
            slot = self._new_slot()
        try:
            slot.key[0] = key
        except UNFIT as reason:
            raise self._unfit("key", self.shape.key, key, reason) from None
        try:
            slot.value[0] = value
        except UNFIT as reason:
            raise self._unfit("value", self.shape.value, value, reason) from None
        if slot.update() < 0 and (errno := self._settle(slot.update)):
            self._give(slot)
            raise self.error(Command.MAP_UPDATE_ELEM, errno, key)
        self._give(slot)

    @overload
    def update(self, entries: Mapping[K, V] | Iterable[tuple[K, V]], /) -> None: ...
    @overload
    def update(self, key: K, value: V, *, flags: int = 0) -> bool: ...
    def update(self, key: Any, value: Any = _MISSING, *, flags: int = 0) -> bool | None:
        """Write one element, or with a single argument all entries of a mapping or iterable of pairs.

        With `flags` NOEXIST, False means that the key was there and kept its value; with EXIST, that it is not there.
        MapFullError when the map holds max_entries.
        """
        if value is _MISSING:
            if flags:
                raise ArgumentError("update(entries) takes no flags; use update_batch(entries, flags=...).")
            self._update_all(key)
            return None
        return self._update_one(key, value, flags)

    def _update_all(self, entries: Mapping[K, V] | Iterable[tuple[K, V]]) -> None:
        for entry in pairs(entries):
            (key,), (value,) = unzipped([entry])
            self[key] = value

    def _update_one(self, key: K, value: V, flags: int) -> bool:
        slot = self._keyed(key)
        try:
            slot.value[0] = value
        except UNFIT as reason:
            raise self._unfit("value", self.shape.value, value, reason) from None
        if flags:
            check_type("flags", flags, int, "UpdateFlag")
            slot.attr["flags"] = flags
        errno = self._settle(slot.update) if slot.update() < 0 else 0
        if flags:
            slot.attr["flags"] = 0
        self._give(slot)
        if errno and errno != NEGATIVE_ANSWERS.get(flags and flags & 3):
            raise self.error(Command.MAP_UPDATE_ELEM, errno, key)
        return not errno


NEGATIVE_ANSWERS: Final = {int(UpdateFlag.NOEXIST): Errno.EEXIST, int(UpdateFlag.EXIST): Errno.ENOENT}
"""The errno that is an answer, not an error, to an update with these flags."""


def pairs(entries: Mapping[K, V] | Iterable[tuple[K, V]]) -> Iterable[tuple[K, V]]:
    """Return the pairs of a mapping, or the iterable of pairs itself; ArgumentError for anything else."""
    items = getattr(entries, "items", None)
    found: Any = items() if items is not None else entries
    if not hasattr(found, "__iter__"):
        raise ArgumentError(f"{entries!r} is neither a mapping nor an iterable of (key, value) pairs.")
    result: Iterable[tuple[K, V]] = found
    return result


def unzipped(entries: Sequence[tuple[K, V]]) -> tuple[list[K], list[V]]:
    """Part pairs into keys and values; ArgumentError when something is no pair."""
    try:
        return [key for key, _ in entries], [value for _, value in entries]
    except (TypeError, ValueError):
        raise ArgumentError(f"Not all of {entries[:5]!r} are pairs of a key and a value; give (key, value).") from None
