"""The consumer of a ring buffer map (BPF_MAP_TYPE_RINGBUF)."""

from __future__ import annotations

import mmap
from contextlib import ExitStack
from typing import TYPE_CHECKING, Unpack

from bpflab.abi.map_types import MapType
from bpflab.abi.rings import RingPage
from bpflab.backend.call import beside_error
from bpflab.events.consumer import Consumer
from bpflab.events.order import fence_of
from bpflab.events.ring_reader import RingReader

if TYPE_CHECKING:
    from bpflab.events.options import ConsumerOptions
    from bpflab.events.source import Batch, EventMap


class RingSource:
    """A mapped ring buffer: the consumer's page writable, the producer's page and the data read-only.

    The data is mapped once, though the kernel offers it twice in a row: what goes past the end is joined while
    it is copied.
    """

    def __init__(self, map: EventMap) -> None:  # noqa: A002 - the field's own word for it
        map.lab.check_open()
        self._lab = map.lab
        backend = map.lab.backend
        with ExitStack() as stack:
            self._fd = backend.dup(map.fileno())
            stack.callback(backend.close, self._fd)
            page = mmap.PAGESIZE
            size = (RingPage.DATA - RingPage.PRODUCER) * page + map.max_entries
            try:
                consumer = backend.mmap(self._fd, page, writable=True, offset=RingPage.CONSUMER * page)
                stack.callback(consumer.close)
                producer = backend.mmap(self._fd, size, writable=False, offset=RingPage.PRODUCER * page)
                stack.callback(producer.close)
            except OSError as error:
                raise beside_error("mmap", error, f"the ring buffer {map.name!r}") from error
            with memoryview(consumer) as own, memoryview(producer) as theirs:
                self._reader = RingReader(own, theirs, theirs[page:], fence_of(backend))
            stack.callback(self._reader.release)
            self._stack = stack.pop_all()

    @property
    def lag(self) -> int:
        """Bytes between the producer's position and the consumer's."""
        return self._reader.lag

    def read(self, limit: int | None = None) -> Batch:
        """Take complete records, at most `limit` events of them."""
        return self._reader.read(limit)

    def wait(self, timeout: float) -> None:
        """Wait until the kernel says that the buffer is not empty."""
        try:
            self._lab.backend.poll([self._fd], timeout)
        except OSError as error:
            raise beside_error("poll", error, "the ring buffer") from error

    def close(self) -> None:
        """Unmap the buffer and close the descriptor."""
        self._stack.close()


class RingBufferConsumer(Consumer):
    """Events of a ring buffer, in the order in which programs reserved them.

    `map` is a RINGBUF map; the options are those of Consumer. A ring buffer has one consumer at a time: two that
    read beside each other would take each other's events.
    """

    _type = MapType.RINGBUF

    def __init__(self, map: EventMap, **options: Unpack[ConsumerOptions]) -> None:  # noqa: A002 - the field's own word
        super().__init__(lambda: RingSource(map), map, **options)
