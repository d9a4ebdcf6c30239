"""Ring buffers: what was not read yet is passed over."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

from bpflab.abi.rings import RingPage

if TYPE_CHECKING:
    from bpflab.maps.handle import MapHandle


class RingKeeper:
    """A ring buffer is empty after `restore`, whatever it held when the snapshot was taken."""

    def __init__(self, source: MapHandle[Any, Any]) -> None:
        backend, fd, page = source.lab.backend, source.fileno(), mmap.PAGESIZE
        self._consumer = backend.mmap(fd, page, writable=True, offset=RingPage.CONSUMER * page)
        self._producer = backend.mmap(fd, page, writable=False, offset=RingPage.PRODUCER * page)
        self._consumed = memoryview(self._consumer)[:8].cast("Q")
        self._produced = memoryview(self._producer)[:8].cast("Q")

    def restore(self) -> None:
        """Move the consumer to where the producer is."""
        self._consumed[0] = self._produced[0]

    def close(self) -> None:
        """Unmap."""
        for view, memory in ((self._consumed, self._consumer), (self._produced, self._producer)):
            view.release()
            memory.close()
