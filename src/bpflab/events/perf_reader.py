"""Reads one CPU's perf buffer out of its memory. No descriptors, no waiting: views in, records out.

The kernel moves `data_head` only when a record is complete, so there is nothing to wait for inside the
buffer; the order of loads and stores is otherwise that of a ring buffer.
"""

from __future__ import annotations

import struct
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from bpflab.abi.rings import PERF_DATA_HEAD, PERF_DATA_TAIL, PERF_HEADER, PERF_LOST, PERF_RAW_HEAD, PerfRecord
from bpflab.events.runs import CHUNK, Shape, copy_out, scan, split
from bpflab.events.source import EMPTY, Batch

if TYPE_CHECKING:
    from collections.abc import Callable


class PerfReader:
    """The consumer's side of a perf buffer.

    `control` is the buffer's first page, `data` the rest, whose length is a power of two. `event_size` cuts
    samples to so many bytes: the kernel pads each. `fence` orders loads and stores across it.
    """

    def __init__(
        self, control: memoryview, data: memoryview, fence: Callable[[], object], event_size: int | None = None
    ) -> None:
        self._head = control[PERF_DATA_HEAD : PERF_DATA_HEAD + 8].cast("Q")
        self._tail = control[PERF_DATA_TAIL : PERF_DATA_TAIL + 8].cast("Q")
        self._data = data
        self._headers = data.cast("Q")
        self._mask = len(data) - 1
        self._fence = fence
        self._describe = describer(event_size)

    @property
    def lag(self) -> int:
        """Bytes between the kernel's position and the consumer's."""
        tail = self._tail[0]
        return self._head[0] - tail

    def read(self, limit: int | None = None) -> Batch:
        """Take the records at the consumer's position, up to the buffer's end and to CHUNK bytes."""
        start = self._tail[0]
        waiting = self._head[0] - start
        if not waiting or limit == 0:
            return EMPTY
        offset = start & self._mask
        self._fence()
        stop = min(offset + min(waiting, CHUNK), len(self._data))
        found = scan(self._headers, offset, stop, sys.maxsize if limit is None else limit, self._describe)
        if not found.size:
            return self._take_other(start)
        data = copy_out(self._data, offset, found.size)
        self._free(start + found.size)
        return Batch(split(data, found), found.length, found.size)

    def release(self) -> None:
        """Let go of the views, so that the memory can be unmapped."""
        for view in (self._head, self._tail, self._headers, self._data):
            view.release()

    def _take_other(self, start: int) -> Batch:
        offset = start & self._mask
        size = PERF_HEADER.get(self._data[offset : offset + PERF_HEADER.size], "size")
        record = copy_out(self._data, offset, size)
        self._free(start + size)
        return Batch([], consumed=size, lost=lost_samples(record))

    def _free(self, position: int) -> None:
        self._fence()
        self._tail[0] = position


def lost_samples(record: bytes) -> int:
    """How many samples a record says were lost; 0 for a record that is about something else."""
    return PERF_LOST.get(record, "lost") if PERF_HEADER.get(record, "type") == PerfRecord.LOST else 0


def describer(event_size: int | None) -> Callable[[int], Shape | None]:
    """Return the function that reads a header word: the shape of a sample, None for any other record."""

    @lru_cache(maxsize=1024)
    def describe(word: int) -> Shape | None:
        header = PERF_HEADER.unpack(struct.pack("=Q", word))
        kind, stride = header["type"], int(header["size"])
        if kind != PerfRecord.SAMPLE:
            return None
        raw = stride - PERF_RAW_HEAD
        length = raw if event_size is None else min(raw, event_size)
        return Shape(stride, length, events=1, format=f"{PERF_RAW_HEAD}x{length}s{raw - length}x")

    return describe
