"""Maps that can be walked over: iteration, views, and reading all at once."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.map_rules import PLAIN, MapOp
from bpflab.arguments import check_iterable
from bpflab.backend.slots import SlotPool
from bpflab.errors import MapBusyError
from bpflab.maps.batch_call import BatchReader, RawBatch, batch_refusal, chunk_entries
from bpflab.maps.codecs.base import UNFIT
from bpflab.maps.codecs.plain import BytesCodec
from bpflab.maps.elements import ENOENT, LookupMap
from bpflab.maps.handle import MapHandle
from bpflab.maps.slots import ElementSlot, NextKeySlot
from bpflab.maps.walk import STEPS_PER_ENTRY, ChangedTooOften, walk_by_next_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.maps.codecs.base import BaseCodec

K = TypeVar("K")
V = TypeVar("V")

NO_BATCH: Final = frozenset({Errno.ENOTSUPP, Errno.EOPNOTSUPP, Errno.EINVAL})
"""What kernels answer to a batch command that they lack, or lack for the type."""
SPARE_CALLS: Final = 64
BATCH_OPS: Final = {
    Command.MAP_LOOKUP_BATCH: MapOp.LOOKUP_BATCH,
    Command.MAP_UPDATE_BATCH: MapOp.UPDATE_BATCH,
    Command.MAP_DELETE_BATCH: MapOp.DELETE_BATCH,
    Command.MAP_LOOKUP_AND_DELETE_BATCH: MapOp.LOOKUP_AND_DELETE_BATCH,
}


class WalkableMap(LookupMap[K, V]):
    """Elements can be walked over; `bpflab.maps.walk` says what is promised while they change.

    `keys()`, `values()` and `items()` are views as of a dict, but each iteration reads from the kernel: in chunks, so
    that the memory does not grow with the map.
    """

    def __iter__(self) -> Iterator[K]:
        for keys, _ in self._decoded():
            yield from keys

    def __len__(self) -> int:
        return sum(batch.count for batch in self._raw())

    def __bool__(self) -> bool:
        return next(self._raw(), None) is not None

    def __eq__(self, other: object) -> bool:
        """Compare the content with a dict's or another mapping's; with another map, whether it is the same object."""
        if isinstance(other, MapHandle) or not isinstance(other, Mapping):
            return self is other
        return self.lookup_batch() == dict(other)

    __hash__ = MapHandle.__hash__

    def keys(self) -> KeysView[K]:
        """Return a view of the keys."""
        return MapKeys(self)

    def values(self) -> ValuesView[V]:
        """Return a view of the values."""
        return MapValues(self)

    def items(self) -> ItemsView[K, V]:
        """Return a view of the entries."""
        return MapItems(self)

    def lookup_batch(self, keys: Iterable[K] | None = None) -> dict[K, V]:
        """Read all entries in as few calls as possible, or those of the given keys that are there."""
        if keys is not None:
            check_iterable("keys", keys, "keys")
            found = ((key, self.lookup(key)) for key in keys)
            return {key: value for key, value in found if value is not None}
        entries: dict[K, V] = {}
        for some_keys, some_values in self._decoded():
            entries.update(zip(some_keys, some_values, strict=True))
        return entries

    def raw_batches(self) -> Iterator[RawBatch]:
        """Read all entries as bytes, in batches; each is valid until the next is read."""
        return self._raw()

    def get_next_key(self, key: K | None = None) -> K | None:
        """Return the key that the kernel has after this one, or its first key; None at the end.

        For a key that is gone most types answer with the first key again.
        """
        steps = self._steps
        try:
            slot = steps.pop()
        except IndexError:
            slot = steps.make()
        call = slot.first
        if key is not None:
            call = slot.after
            try:
                slot.key[0] = key
            except UNFIT as reason:
                raise self._unfit("key", self.shape.key, key, reason) from None
        if call() < 0 and (errno := self._settle(call)):
            steps.give(slot)
            if errno == ENOENT:
                return None
            raise self.error(Command.MAP_GET_NEXT_KEY, errno, key)
        following: K = slot.next[0]
        steps.give(slot)
        return following

    def has_batch(self, command: Command) -> bool:
        """Whether the kernel has this batch command for the map's type; asked once."""
        known = self._batches.get(command)
        if known is None:
            offered = self.shape.offers(BATCH_OPS[command])
            refused = offered and batch_refusal(self.lab.backend, self.fileno(), command) in NO_BATCH
            known = self._batches[command] = offered and not refused
        return known

    def close(self) -> None:
        """Close this descriptor of the map, as `ElementMap.close` does."""
        super().close()
        self._steps.clear()

    @cached_property
    def _steps(self) -> SlotPool[NextKeySlot]:
        return SlotPool(lambda: self._new_step(self.shape.key))

    def _new_step(self, codec: BaseCodec[Any]) -> NextKeySlot:
        backend = self.lab.backend
        slot = NextKeySlot(backend, self.fileno(), codec)
        self._enlist(slot, backend)
        return slot

    @cached_property
    def _batches(self) -> dict[Command, bool]:
        return {}

    def _decoded(self) -> Iterator[tuple[Iterable[K], Iterable[V]]]:
        read_keys, read_values = self.shape.key.unpack_many, self.shape.value.unpack_many
        for batch in self._raw():
            yield read_keys(batch.keys), read_values(batch.values)

    def _raw(self) -> Iterator[RawBatch]:
        """Walk over the map's bytes, by batch where there is one."""
        if not self.has_batch(Command.MAP_LOOKUP_BATCH):
            return self._by_single()
        return self._batch_entries(Command.MAP_LOOKUP_BATCH)

    def _by_single(self) -> Iterator[RawBatch]:
        return chunks(self._single_entries(), chunk_entries(self.shape))

    def _batch_entries(self, command: Command) -> Iterator[RawBatch]:
        count = chunk_entries(self.shape)
        reader = BatchReader(self.lab.backend, self.fileno(), self.shape, command, count)
        most = STEPS_PER_ENTRY * (self.max_entries // count + SPARE_CALLS)
        try:
            for number, batch in enumerate(reader.read()):
                if number >= most:
                    raise self._changed_too_often()
                yield batch
        except OSError as error:
            raise self.error(command, error.errno or 0) from None

    def _single_entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Walk over the map's bytes by calls for single elements."""
        slot = self._raw_slot()
        for key in self._single_keys():
            slot.key[0] = key
            if slot.lookup() >= 0:
                yield key, slot.value[0]
            elif (errno := self._errno()) != Errno.ENOENT:
                raise self.error(Command.MAP_LOOKUP_ELEM, errno, key)

    def _single_keys(self) -> Iterator[bytes]:
        """Walk over the keys of a map without batch; by next key, unless the type has a better way."""
        return self._next_keys()

    def _next_keys(self) -> Iterator[bytes]:
        slot, probe = self._new_step(BytesCodec(self.shape.key_size)), self._raw_slot()

        def next_key(key: bytes | None) -> bytes | None:
            call = slot.first
            if key is not None:
                call = slot.after
                slot.key[0] = key
            if call() < 0:
                if (errno := self._errno()) != Errno.ENOENT:
                    raise self.error(Command.MAP_GET_NEXT_KEY, errno, key)
                return None
            following: bytes = slot.next[0]
            return following

        def exists(key: bytes) -> bool:
            probe.key[0] = key
            return probe.lookup() >= 0 or self._errno() != Errno.ENOENT

        try:
            yield from walk_by_next_key(next_key, exists, self.max_entries)
        except ChangedTooOften:
            raise self._changed_too_often() from None

    def _raw_slot(self) -> ElementSlot:
        key, value, backend = BytesCodec(self.shape.key_size), BytesCodec(self.shape.value.size), self.lab.backend
        slot = ElementSlot(backend, self.fileno(), key, value, quick=self.shape.type in PLAIN)
        self._enlist(slot, backend)
        return slot

    def _changed_too_often(self) -> MapBusyError:
        return MapBusyError(
            f"The {self.shape.label} changes faster than it can be walked over: after {STEPS_PER_ENTRY} times its "
            f"max_entries ({self.max_entries}) the walk had not ended. Stop its writers, or read keys one by one."
        )


def chunks(entries: Iterable[tuple[bytes, bytes]], size: int) -> Iterator[RawBatch]:
    """Gather single entries into batches."""
    source = iter(entries)
    while some := list(islice(source, size)):
        keys, values = (b"".join(part) for part in zip(*some, strict=True))
        yield RawBatch(len(some), memoryview(keys), memoryview(values))


class MapKeys(KeysView[K]):
    """The keys of a map, read anew by each iteration."""


class MapValues(ValuesView[V]):
    """The values of a map, read anew by each iteration."""

    _mapping: WalkableMap[Any, V]

    def __iter__(self) -> Iterator[V]:
        for _, values in self._mapping._decoded():
            yield from values

    def __contains__(self, value: object) -> bool:
        return any(value == each for each in self)


class MapItems(ItemsView[K, V]):
    """The entries of a map, read anew by each iteration."""

    _mapping: WalkableMap[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        for keys, values in self._mapping._decoded():
            yield from zip(keys, values, strict=True)

    def __contains__(self, item: object) -> bool:
        if not (isinstance(item, tuple) and len(item) == 2):
            return False
        return bool(self._mapping.lookup(item[0]) == item[1])
