"""Maps whose entries come and go: hashes, tries, interfaces and CPUs to redirect to, stack traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.maps.batch import DeleteBatchMap
from bpflab.maps.batch_call import RawBatch
from bpflab.snapshots.keeper import Entries, RawMap

if TYPE_CHECKING:
    from bpflab.maps.handle import MapHandle


class EntriesKeeper:
    """The entries, all of them; what is there and was not is deleted first, so that there is room."""

    def __init__(self, source: MapHandle[Any, Any]) -> None:
        self.source = source
        self.raw = RawMap(source)
        self.saved: Entries = self.raw.read()

    def restore(self) -> None:
        """Delete what is new, and write what is gone or was changed."""
        now = self.raw.read()
        if now == self.saved:
            return
        self.raw.delete(key for key in now if key not in self.saved)
        self.write({key: value for key, value in self.saved.items() if now.get(key) != value})

    def write(self, entries: Entries) -> None:
        """Write entries, by batch where the map has it."""
        if isinstance(self.source, DeleteBatchMap) and len(entries) > 1:
            keys, values = b"".join(entries), b"".join(entries.values())
            self.source.update_raw(RawBatch(len(entries), memoryview(keys), memoryview(values)))
        else:
            self.raw.write(entries.items())

    def close(self) -> None:
        """Keep nothing open."""
