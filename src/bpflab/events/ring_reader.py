"""Reads a ring buffer out of its memory. No descriptors, no waiting: views in, records out.

The order of loads and stores is what makes this right beside a running producer: load the producer's
position, then the headers until one is busy, then copy the data, then store the consumer's position, with a
fence between each. A header says that its record is complete only if it is loaded before the data.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from bpflab.abi.flags import RINGBUF_HEADER_SIZE, RingbufFlag
from bpflab.abi.rings import RING_LENGTH_MASK, record_size
from bpflab.events.runs import CHUNK, Shape, copy_out, scan, split
from bpflab.events.source import EMPTY, Batch

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY = int(RingbufFlag.BUSY_BIT)
DISCARDED = int(RingbufFlag.DISCARD_BIT)


class RingReader:
    """The consumer's side of a ring buffer.

    `consumed` and `produced` begin with the u64 positions, `data` is the buffer itself, once; its length is a
    power of two. `fence` orders loads and stores across it; give a function that does nothing where the machine
    keeps them in order.
    """

    def __init__(
        self, consumed: memoryview, produced: memoryview, data: memoryview, fence: Callable[[], object]
    ) -> None:
        self._consumed = consumed[:8].cast("Q")
        self._produced = produced[:8].cast("Q")
        self._data = data
        self._headers = data.cast("I")
        self._mask = len(data) - 1
        self._fence = fence

    @property
    def lag(self) -> int:
        """Bytes between the producer's position and the consumer's."""
        consumed = self._consumed[0]
        return self._produced[0] - consumed

    def read(self, limit: int | None = None) -> Batch:
        """Take the complete records at the consumer's position, up to the buffer's end and to CHUNK bytes."""
        start = self._consumed[0]
        waiting = self._produced[0] - start
        if not waiting:
            return EMPTY
        offset = start & self._mask
        stop = min(offset + min(waiting, CHUNK), len(self._data))
        self._fence()
        found = scan(self._headers, offset, stop, sys.maxsize if limit is None else limit, describe)
        if not found.size:
            return EMPTY
        self._fence()
        data = copy_out(self._data, offset, found.size)
        self._fence()
        self._consumed[0] = start + found.size
        return Batch(split(data, found), found.length, found.size, discarded=found.passed_over)

    def release(self) -> None:
        """Let go of the views, so that the memory can be unmapped."""
        for view in (self._consumed, self._produced, self._headers, self._data):
            view.release()


@lru_cache(maxsize=4096)
def describe(header: int) -> Shape | None:
    """Read the header word of a record; None while the record is busy."""
    if header & BUSY:
        return None
    length = header & RING_LENGTH_MASK
    stride = record_size(length)
    if header & DISCARDED:
        return Shape(stride, length=0, events=0, format=f"{stride}x")
    padding = stride - RINGBUF_HEADER_SIZE - length
    return Shape(stride, length, events=1, format=f"{RINGBUF_HEADER_SIZE}x{length}s{padding}x")
