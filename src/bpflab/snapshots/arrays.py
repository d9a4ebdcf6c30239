"""Arrays: written over as a whole, or compared in shared memory first."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

from bpflab.abi.commands import Command
from bpflab.backend.attr import Attr
from bpflab.maps.batch_call import RawBatch
from bpflab.maps.slots import prepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.maps.array import Array


class ArrayKeeper:
    """The values of an array, per CPU where it is such; each batch of them is one prepared call."""

    def __init__(self, source: Any) -> None:  # noqa: ANN401 - an array of any values
        self.source = source
        self.batches = [
            RawBatch(batch.count, memoryview(bytes(batch.keys)), memoryview(bytes(batch.values)))
            for batch in source.raw_batches()
        ]
        self._calls = self._prepare() if source.has_batch(Command.MAP_UPDATE_BATCH) else []

    def restore(self) -> None:
        """Write all values."""
        for attr, count, call in self._calls:
            attr["count"] = count
            if call() < 0:
                self._again()
        if not self._calls:
            self._again()

    def close(self) -> None:
        """Keep nothing open."""

    def _prepare(self) -> list[tuple[Attr, int, Callable[[], int]]]:
        attrs = [
            Attr(
                Command.MAP_UPDATE_BATCH,
                {
                    "keys": batch.keys,
                    "values": batch.values,
                    "count": batch.count,
                    "map_fd": self.source.fileno(),
                },
            )
            for batch in self.batches
        ]
        backend, command = self.source.lab.backend, Command.MAP_UPDATE_BATCH
        counts = [batch.count for batch in self.batches]
        return [(attr, count, prepared(backend, command, attr)) for attr, count in zip(attrs, counts, strict=True)]

    def _again(self) -> None:
        """Write by the map's own way, which knows kernels without batches and has words for errors."""
        for batch in self.batches:
            self.source.update_raw(batch)


class MemoryKeeper:
    """The values of an array that can be mapped: compared in memory before they are written, which costs little.

    The mapping is its own and read-only, so that the test may still freeze the map, or map it as it wants.
    """

    def __init__(self, source: Array[Any]) -> None:
        self.source = source
        size = source.memory_size()
        backend = source.lab.backend
        self._memory = backend.mmap(source.fileno(), size + -size % mmap.PAGESIZE, writable=False)
        self._view = memoryview(self._memory)[:size]
        self.saved = bytes(self._view)
        self._writer = ArrayKeeper(source)

    def restore(self) -> None:
        """Write all values if any differs."""
        if self._view != self.saved:
            self._writer.restore()

    def close(self) -> None:
        """Unmap."""
        self._view.release()
        self._memory.close()
