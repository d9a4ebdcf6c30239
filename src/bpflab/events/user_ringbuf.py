"""The producer of a user ring buffer map (BPF_MAP_TYPE_USER_RINGBUF), which a program drains.

A record is reserved with its busy bit set, filled, and then submitted or discarded by storing its header
once more. The program reads records in the order of their reservation and stops at one that is busy.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Self

from bpflab.abi.flags import RINGBUF_HEADER_SIZE, RingbufFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.rings import RING_LENGTH_MASK, RingPage, record_size
from bpflab.errors import ArgumentError, ClosedError, MapFullError
from bpflab.events.order import fence_of
from bpflab.events.source import check_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from bpflab.events.source import EventMap


class Reservation:
    """Room for one record. Fill `data`, then submit or discard it; as a context manager it does so by itself.

    `data` is a writable view of as many bytes as were asked for, zero at first. Leaving the context by an error
    discards the record.
    """

    __slots__ = ("_finish", "data")

    def __init__(self, length: int, finish: Callable[[memoryview, int], None]) -> None:
        self.data = memoryview(bytearray(length))
        self._finish: Callable[[memoryview, int], None] | None = finish

    def submit(self) -> None:
        """Give the record to the program; ArgumentError when it was submitted or discarded before."""
        self._end(0)

    def discard(self) -> None:
        """Give the record up: the program passes over it. ArgumentError as `submit` has it."""
        self._end(RingbufFlag.DISCARD_BIT)

    def __enter__(self) -> memoryview:
        return self.data

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._finish is not None:
            self._end(0 if kind is None else RingbufFlag.DISCARD_BIT)

    def _end(self, flag: int) -> None:
        finish, self._finish = self._finish, None
        if finish is None:
            raise ArgumentError("This record was submitted or discarded before; reserve another one.")
        finish(self.data, flag)


class UserRingProducer:
    """Writes records for a program that calls `user_ringbuf_drain`. Safe between threads.

    `map` is a USER_RINGBUF map. A ring has one producer at a time.
    """

    def __init__(self, map: EventMap) -> None:  # noqa: A002 - the field's own word for it
        check_map(map, MapType.USER_RINGBUF)
        map.lab.check_open()
        self._lab = map.lab
        self._what = f"the producer of map {map.name!r}"
        self._size = map.max_entries
        self._fence = fence_of(map.lab.backend)
        self._lock = threading.Lock()
        self._closed = False
        with ExitStack() as stack:
            self._open(map, stack)
            self._stack = stack.pop_all()
        self._lab.own(self)

    def reserve(self, length: int) -> Reservation:
        """Reserve room for a record of so many bytes.

        MapFullError when the program has not drained enough yet; ArgumentError when it can never fit.
        """
        stride = record_size(length)
        if not 0 <= length <= RING_LENGTH_MASK or stride > self._size:
            most = self._size - RINGBUF_HEADER_SIZE
            raise ArgumentError(f"A record of {length} bytes does not fit {self._what}; expected 0 to {most}.")
        with self._lock:
            self._check_open()
            position = self._produced[0]
            free = self._size - (position - self._consumed[0])
            if stride > free:
                raise MapFullError(
                    f"No room for {length} bytes in {self._what}: {free} of {self._size} bytes are free, and a record "
                    f"takes {RINGBUF_HEADER_SIZE} more than its data, padded to 8. Run the program that drains it."
                )
            self._set_header(position, length | RingbufFlag.BUSY_BIT)
            self._fence()
            self._produced[0] = position + stride
        return Reservation(length, partial(self._commit, position))

    def submit(self, data: bytes) -> None:
        """Reserve a record, fill it with the data and submit it; errors as `reserve` has them."""
        with self.reserve(len(data)) as room:
            room[:] = data

    @property
    def lag(self) -> int:
        """Bytes that the program has not drained yet, headers included."""
        with self._lock:
            return 0 if self._closed else self._produced[0] - self._consumed[0]

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Unmap the buffer and close its descriptor; records that are still reserved stay busy for ever."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._lab.disown(self)
        self._stack.close()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, map: EventMap, stack: ExitStack) -> None:  # noqa: A002 - the field's own word for it
        backend, page = map.lab.backend, mmap.PAGESIZE
        fd = backend.dup(map.fileno())
        stack.callback(backend.close, fd)
        consumer = backend.mmap(fd, page, writable=False, offset=RingPage.CONSUMER * page)
        stack.callback(consumer.close)
        producer = backend.mmap(fd, page + self._size, writable=True, offset=RingPage.PRODUCER * page)
        stack.callback(producer.close)
        with memoryview(consumer) as theirs, memoryview(producer) as own:
            self._consumed = theirs[:8].cast("Q")
            self._produced = own[:8].cast("Q")
            self._data = own[page:]
            self._headers = self._data.cast("I")
        for view in (self._consumed, self._produced, self._data, self._headers):
            stack.callback(view.release)

    def _commit(self, position: int, data: memoryview, flag: int) -> None:
        with self._lock:
            self._check_open()
            if not flag:
                self._store(position + RINGBUF_HEADER_SIZE, data)
            self._fence()
            self._set_header(position, len(data) | flag)

    def _store(self, position: int, data: memoryview) -> None:
        offset = position % self._size
        first = min(len(data), self._size - offset)
        self._data[offset : offset + first] = data[:first]
        self._data[: len(data) - first] = data[first:]

    def _set_header(self, position: int, word: int) -> None:
        self._headers[position % self._size // 4] = word

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self._what} is closed; it closes with its Lab, or at the end of its with block.")
