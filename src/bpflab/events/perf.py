"""The consumer of a perf event array map (BPF_MAP_TYPE_PERF_EVENT_ARRAY)."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Unpack

from bpflab.abi.map_types import MapType
from bpflab.events.consumer import Consumer
from bpflab.events.perf_event import PerfSetup, open_buffers
from bpflab.events.source import EMPTY, Batch

if TYPE_CHECKING:
    from bpflab.events.options import ConsumerOptions
    from bpflab.events.source import EventMap


class PerfSource:
    """The perf buffers of all CPUs that are online, read in turn."""

    def __init__(self, map: EventMap, setup: PerfSetup) -> None:  # noqa: A002 - the field's own word for it
        lab = map.lab
        lab.check_open()
        self._lab = lab
        with ExitStack() as stack:
            map_fd = lab.backend.dup(map.fileno())
            stack.callback(lab.backend.close, map_fd)
            cpus = min(lab.backend.possible_cpus, map.max_entries)
            self._buffers = open_buffers(lab, map_fd, cpus, setup, stack)
            self._stack = stack.pop_all()

    @property
    def lag(self) -> int:
        """Bytes that are not read yet, of all CPUs."""
        return sum(buffer.reader.lag for buffer in self._buffers)

    def read(self, limit: int | None = None) -> Batch:
        """Take one batch from the first CPU that has records; that CPU is then the last to be asked again."""
        for _ in self._buffers:
            buffer = self._buffers.pop(0)
            self._buffers.append(buffer)
            batch = buffer.reader.read(limit)
            if batch.consumed:
                return batch
        return EMPTY

    def wait(self, timeout: float) -> None:
        """Wait until a CPU's buffer is above its watermark."""
        self._lab.backend.poll([buffer.fd for buffer in self._buffers], timeout)

    def close(self) -> None:
        """Take the events out of the map, unmap the buffers and close the descriptors."""
        self._stack.close()


class PerfBufferConsumer(Consumer):
    """Events of a perf event array: one CPU's in their order, those of several CPUs as they are found.

    `map` is a PERF_EVENT_ARRAY map, whose elements the consumer sets, from CPU 0 on, while it is open. `pages`,
    `wakeup_events`, `watermark` and `event_size` are those of PerfSetup, the other options those of Consumer.
    Samples that found a buffer full are counted as `lost`. NotPermittedError without CAP_PERFMON.
    """

    _type = MapType.PERF_EVENT_ARRAY

    def __init__(
        self,
        map: EventMap,  # noqa: A002 - the field's own word for it
        *,
        pages: int = 8,
        wakeup_events: int = 1,
        watermark: int | None = None,
        event_size: int | None = None,
        **options: Unpack[ConsumerOptions],
    ) -> None:
        setup = PerfSetup(pages, wakeup_events, watermark, event_size)
        super().__init__(lambda: PerfSource(map, setup), map, **options)
