"""Many elements written or deleted with few calls, and one by one where the kernel has no batch."""

from __future__ import annotations

from collections.abc import MutableMapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.flags import UpdateFlag
from bpflab.arguments import check_iterable
from bpflab.errors import ArgumentError, BatchProgress, BpfError, CodecError
from bpflab.maps.batch_call import RawBatch, chunk_entries, send_batch
from bpflab.maps.codecs.base import UNFIT
from bpflab.maps.deletion import TakeMap
from bpflab.maps.elements import UpdateMap, pairs, unzipped
from bpflab.maps.walkable import WalkableMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bpflab.maps.codecs.base import BaseCodec

K = TypeVar("K")
V = TypeVar("V")

NO_VALUES: Final = memoryview(b"")
SINGLE_ONLY: Final = UpdateFlag.NOEXIST | UpdateFlag.EXIST
"""Flags that UPDATE_BATCH refuses (`generic_map_update_batch` knows LOCK only), so that entries go one by one."""


class UpdateBatchMap(UpdateMap[K, V], WalkableMap[K, V]):
    """Elements can be written in batches."""

    def update_batch(self, entries: Mapping[K, V] | Iterable[tuple[K, V]], *, flags: int = UpdateFlag.ANY) -> int:
        """Write all entries of a mapping or iterable of pairs, in chunks; how many there were.

        The error of an entry that is refused (MapFullError; with NOEXIST MapKeyExistsError, with EXIST MapKeyError)
        has the progress as its `batch`: the keys that were done before it, and what is left. A value that does not
        fit its type is found before its chunk is sent.
        """
        source = iter(pairs(entries))
        done = bytearray()
        size = chunk_entries(self.shape)
        total = 0
        while some := list(islice(source, size)):
            try:
                keys, values = unzipped(some)
                packed = self._packed("key", self.shape.key, keys)
                packed_values = self._packed("value", self.shape.value, values)
                count, errno = self._write(RawBatch(len(some), packed, packed_values), flags)
            except (ArgumentError, CodecError) as error:
                raise self._stopped(error, done, chain(some, source)) from None
            done += packed[: count * self.shape.key_size]
            total += count
            if errno:
                refused = self.error(Command.MAP_UPDATE_BATCH, errno, some[count][0])
                raise self._stopped(refused, done, chain(some[count:], source))
        return total

    def _update_all(self, entries: Mapping[K, V] | Iterable[tuple[K, V]]) -> None:
        self.update_batch(entries)

    def update_raw(self, batch: RawBatch, *, flags: int = UpdateFlag.ANY) -> None:
        """Write packed keys and values, as `raw_batches` of another map gives them; errors as of `update_batch`."""
        done, errno = self._write(batch, flags)
        if errno:
            size = self.shape.key_size
            failed = self.shape.key.unpack(bytes(batch.keys[done * size : (done + 1) * size]))
            refused = self.error(Command.MAP_UPDATE_BATCH, errno, failed)
            raise self._stopped(refused, bytearray(batch.keys[: done * size]), ())

    def _write(self, batch: RawBatch, flags: int) -> tuple[int, int]:
        if not flags & SINGLE_ONLY and self.has_batch(Command.MAP_UPDATE_BATCH):
            return send_batch(self.lab.backend, self.fileno(), Command.MAP_UPDATE_BATCH, batch, flags)
        slot, (key_size, value_size) = self._raw_slot(), (self.shape.key_size, self.shape.value.size)
        slot.attr["flags"] = flags
        for index in range(batch.count):
            slot.key[0] = batch.keys[index * key_size : (index + 1) * key_size]
            slot.value[0] = batch.values[index * value_size : (index + 1) * value_size]
            if slot.update() < 0 and (errno := self._settle(slot.update)):
                return index, errno
        return batch.count, 0

    def _packed(self, what: str, codec: BaseCodec[Any], values: Sequence[Any]) -> memoryview:
        try:
            return codec.pack_many(values)
        except UNFIT as reason:
            raise CodecError(f"The {what} of the {self.shape.label}: {reason}") from None

    def _stopped(self, error: BpfError, done: bytearray, rest: Iterable[Any]) -> BpfError:
        keys = list(self.shape.key.unpack_many(memoryview(done)))
        error.batch = BatchProgress(keys, rest)
        last = f", the last of them {keys[-1]!r}" if keys else ""
        error.add_note(f"The batch had done {len(keys)} keys{last}; error.batch has them, and the rest.")
        return error


class DeleteBatchMap(UpdateBatchMap[K, V], TakeMap[K, V]):
    """Elements can be deleted in batches."""

    def delete_batch(self, keys: Iterable[K]) -> int:
        """Delete all given keys, in chunks; how many were there. Keys that are not there are passed over."""
        check_iterable("keys", keys, "keys")
        source, done, deleted = iter(keys), bytearray(), 0
        while some := list(islice(source, chunk_entries(self.shape))):
            try:
                packed = self._packed("key", self.shape.key, some)
            except CodecError as error:
                raise self._stopped(error, done, chain(some, source)) from None
            tried, count, errno = self._erase(RawBatch(len(some), packed, NO_VALUES))
            done += packed[: tried * self.shape.key_size]
            deleted += count
            if errno:
                refused = self.error(Command.MAP_DELETE_BATCH, errno, some[tried])
                raise self._stopped(refused, done, chain(some[tried:], source))
        return deleted

    def lookup_and_delete_batch(self, keys: Iterable[K] | None = None) -> dict[K, V]:
        """Take all entries out of the map, or those of the given keys, and return them.

        An error's `batch` has the entries that were taken before it.
        """
        if keys is not None:
            check_iterable("keys", keys, "keys")
        taken: dict[K, V] = {}
        try:
            taken.update(self._take_all() if keys is None else self._take_each(keys))
        except BpfError as error:
            error.batch = BatchProgress(done=list(taken), taken=taken)
            error.add_note(f"The batch had taken {len(taken)} entries; error.batch.taken has them.")
            raise
        return taken

    def clear(self) -> None:
        """Delete all entries that are there when it starts; those that come meanwhile may stay."""
        if self.has_batch(Command.MAP_LOOKUP_AND_DELETE_BATCH):
            for _ in self._batch_entries(Command.MAP_LOOKUP_AND_DELETE_BATCH):
                pass
            return
        for batch in self._raw():
            self._erase(batch)

    def setdefault(self, key: K, default: V) -> V:
        """Return the key's value; where there is none, put the default in and return it."""
        value = self.lookup(key)
        while value is None and not self.update(key, default, flags=UpdateFlag.NOEXIST):
            value = self.lookup(key)
        return default if value is None else value

    def popitem(self) -> tuple[K, V]:
        """Take out the first entry that the kernel gives, and return it; MapKeyError when the map is empty."""
        for key in iter(self):
            value = self.lookup_and_delete(key)
            if value is not None:
                return key, value
        raise self.error(Command.MAP_LOOKUP_AND_DELETE_ELEM, Errno.ENOENT)

    def _erase(self, batch: RawBatch) -> tuple[int, int, int]:
        """Delete packed keys: how many were tried, how many were there, and the errno that stopped it or 0."""
        if self.has_batch(Command.MAP_DELETE_BATCH):
            return self._erase_batch(batch)
        slot, size, deleted = self._raw_slot(), self.shape.key_size, 0
        for index in range(batch.count):
            slot.key[0] = batch.keys[index * size : (index + 1) * size]
            errno = self._settle(slot.delete) if slot.delete() < 0 else 0
            if errno not in {0, Errno.ENOENT}:
                return index, deleted, errno
            deleted += not errno
        return batch.count, deleted, 0

    def _erase_batch(self, batch: RawBatch) -> tuple[int, int, int]:
        tried = deleted = 0
        while tried < batch.count:
            left = RawBatch(batch.count - tried, batch.keys[tried * self.shape.key_size :], NO_VALUES)
            done, errno = send_batch(self.lab.backend, self.fileno(), Command.MAP_DELETE_BATCH, left)
            tried, deleted = tried + done, deleted + done
            if errno == Errno.ENOENT:
                tried += 1
            elif errno:
                return tried, deleted, errno
        return tried, deleted, 0

    def _take_all(self) -> Iterator[tuple[K, V]]:
        if not self.has_batch(Command.MAP_LOOKUP_AND_DELETE_BATCH):
            yield from self._take_each(iter(self))
            return
        key, value = self.shape.key, self.shape.value
        for batch in self._batch_entries(Command.MAP_LOOKUP_AND_DELETE_BATCH):
            yield from zip(key.unpack_many(batch.keys), value.unpack_many(batch.values), strict=True)

    def _take_each(self, keys: Iterable[K]) -> Iterator[tuple[K, V]]:
        for key in keys:
            value = self.lookup_and_delete(key)
            if value is not None:
                yield key, value


MutableMapping.register(DeleteBatchMap)
