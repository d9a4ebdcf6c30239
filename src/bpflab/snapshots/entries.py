"""Maps whose entries come and go: hashes, tries, interfaces and CPUs to redirect to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.backend.attr import Attr
from bpflab.maps.batch import DeleteBatchMap
from bpflab.maps.batch_call import TOKEN_SIZE, RawBatch
from bpflab.maps.slots import prepared
from bpflab.snapshots.keeper import Entries, RawMap

if TYPE_CHECKING:
    from bpflab.maps.handle import MapHandle

GLANCE: Final = 1024
"""Maps with more entries than this are walked over each time."""


class EntriesKeeper:
    """The entries, all of them; what is there and was not is deleted first, so that there is room."""

    def __init__(self, source: MapHandle[Any, Any]) -> None:
        self.source = source
        self.raw = RawMap(source)
        self.saved: Entries = self.raw.read()
        batched = isinstance(source, DeleteBatchMap) and source.has_batch(Command.MAP_LOOKUP_BATCH)
        self._glance = Glance(source) if batched else None
        self._seen = self._glance.take() if self._glance else None

    def restore(self) -> None:
        """Delete what is new, and write what is gone or was changed."""
        if self._glance is not None and self._seen is not None and self._glance.take() == self._seen:
            return
        now = self.raw.read()
        if now != self.saved:
            self.raw.delete(key for key in now if key not in self.saved)
            self.write({key: value for key, value in self.saved.items() if now.get(key) != value})
        self._seen = self._glance.take() if self._glance else None

    def write(self, entries: Entries) -> None:
        """Write entries, by batch where the map has it."""
        if isinstance(self.source, DeleteBatchMap) and len(entries) > 1:
            keys, values = b"".join(entries), b"".join(entries.values())
            self.source.update_raw(RawBatch(len(entries), memoryview(keys), memoryview(values)))
        else:
            self.raw.write(entries.items())

    def close(self) -> None:
        """Keep nothing open."""


class Glance:
    """One prepared call that reads a small map whole, to see whether anything was changed."""

    def __init__(self, source: MapHandle[Any, Any]) -> None:
        shape, backend = source.shape, source.lab.backend
        self._count = min(shape.max_entries, GLANCE) + 1
        self._sizes = shape.key_size, shape.value.size
        self._keys, self._values = (bytearray(self._count * size) for size in self._sizes)
        token = bytearray(max(TOKEN_SIZE, shape.key_size))
        buffers = {"out_batch": token, "keys": self._keys, "values": self._values}
        self._attr = Attr(Command.MAP_LOOKUP_BATCH, {**buffers, "map_fd": source.fileno()})
        self._call, self._errno = prepared(backend, Command.MAP_LOOKUP_BATCH, self._attr), backend.errno

    def take(self) -> tuple[bytes, bytes] | None:
        """Return all keys and values in the kernel's order; None when there are too many, or a kernel refuses."""
        self._attr["count"] = self._count
        if self._call() >= 0 or self._errno() != Errno.ENOENT:
            return None
        count, (key_size, value_size) = self._attr["count"], self._sizes
        return bytes(self._keys[: count * key_size]), bytes(self._values[: count * value_size])
