"""RINGBUF, in the kernel's memory layout (kernel/bpf/ringbuf.c).

The data lies in the shared pages twice, one copy behind the other: the kernel has one and maps it
twice, here each record is written to both, so a reader finds it whole either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import RINGBUF_HEADER_SIZE, MapFlag, RingbufFlag
from bpflab.abi.helper_flags import RingbufQuery
from bpflab.abi.map_types import MapType
from bpflab.abi.rings import RING_LENGTH_MASK, RingPage, record_size
from bpflab.sim.maps.base import SimMap
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.shared import PAGE_SIZE, SharedMemory, page_aligned

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.memory import Region

BUSY: Final = int(RingbufFlag.BUSY_BIT)
DISCARD: Final = int(RingbufFlag.DISCARD_BIT)
NO_WAKEUP: Final = int(RingbufFlag.NO_WAKEUP)
FORCE_WAKEUP: Final = int(RingbufFlag.FORCE_WAKEUP)
MAX_RECORD: Final = (1 << 32) - 1 >> 2
PRIVATE_PAGES: Final = 3
"""Pages of struct bpf_ringbuf before the data, from which a record's header counts its own page."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record under construction: its position, its length, and where the program writes."""

    ring: RingbufMap
    position: int
    length: int
    region: Region


class RingMap(SimMap):
    """What both kinds of ring buffer share: the page of each side's position, and the data."""

    copies = 1

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.size = spec.max_entries
        self._shared = SharedMemory(RingPage.DATA * PAGE_SIZE + self.copies * self.size)
        pages = self._shared.view
        self.consumer = pages[:8].cast("Q")
        self.producer = pages[PAGE_SIZE : PAGE_SIZE + 8].cast("Q")
        self.data = pages[RingPage.DATA * PAGE_SIZE :]
        self.headers = self.data.cast("I")

    def shared(self) -> SharedMemory:
        """Return the pages."""
        return self._shared

    def delete(self, key: bytes) -> int:
        """Refuse: there are no elements."""
        del key
        return -Errno.ENOTSUPP

    def free(self) -> None:
        """Give up the pages."""
        for view in (self.consumer, self.producer, self.headers, self.data):
            view.release()
        self._shared.close()
        super().free()

    def check_end(self, offset: int, length: int) -> None:
        """Refuse a mapping past the end."""
        refuse_if(offset + page_aligned(length) > self._shared.size)


class RingbufMap(RingMap):
    """RINGBUF: programs write records, user space reads them."""

    copies = 2

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, and RB_OVERWRITE, which is newer than the simulated kernel."""
        super().check(spec)
        refuse_if(spec.flags & MapFlag.RB_OVERWRITE)

    def check_map(self, offset: int, length: int, *, writable: bool) -> None:
        """Refuse (EPERM) to write to anything but the consumer's page."""
        refuse_if(writable and (offset or page_aligned(length) != PAGE_SIZE), Errno.EPERM)
        self.check_end(offset, length)

    def readable(self) -> bool:
        """Whether there is data, finished or not."""
        return self.producer[0] != self.consumer[0]

    def reserve(self, length: int) -> int:
        """Return the address of so many bytes in the ring; 0 when they do not fit."""
        total = record_size(length)
        position = self.producer[0]
        end = position + total
        mask = self.size - 1
        if length > MAX_RECORD or end - self.consumer[0] > mask or end - self._pending() > mask:
            return 0
        offset = position & mask
        self._set_header(offset, length | BUSY, PRIVATE_PAGES + offset // PAGE_SIZE)
        self.producer[0] = end
        start = offset + RINGBUF_HEADER_SIZE
        region = self.kernel.memory.add(RegionKind.RINGBUF_RECORD, self.data[start : start + length], name=self.name)
        region.owner = Record(self, position, length, region)
        return region.address

    def commit(self, record: Record, flags: int, *, discard: bool = False) -> None:
        """Finish a record: it is read, or skipped. Wakes who waits, by the flags and by where the reader is."""
        offset = record.position & (self.size - 1)
        self.kernel.memory.remove(record.region)
        self._mirror(offset + RINGBUF_HEADER_SIZE, record.length)
        page = self.headers[offset // 4 + 1]
        self._set_header(offset, record.length | (DISCARD if discard else 0), page)
        caught_up = self.consumer[0] & (self.size - 1) == offset
        if flags & FORCE_WAKEUP or (caught_up and not flags & NO_WAKEUP):
            self.kernel.wake()

    def output(self, data: bytes, flags: int) -> int:
        """Write a whole record: 0, EINVAL for unknown flags, EAGAIN when it does not fit."""
        if flags & ~(NO_WAKEUP | FORCE_WAKEUP):
            return -Errno.EINVAL
        address = self.reserve(len(data))
        record = self.record_at(address)
        if record is None:
            return -Errno.EAGAIN
        record.region.data[:] = data
        self.commit(record, flags)
        return 0

    def record_at(self, address: int) -> Record | None:
        """Return the record under construction at an address that `reserve` gave; None for any other."""
        region = self.kernel.memory.find(address)
        if region is None or region.address != address or not isinstance(region.owner, Record) or not region.alive:
            return None
        return region.owner

    def query(self, what: int) -> int:
        """Return a position, the size, or the bytes not yet read; 0 for an unknown question."""
        consumed, produced = self.consumer[0], self.producer[0]
        answers: dict[int, int] = {
            RingbufQuery.AVAIL_DATA: produced - consumed,
            RingbufQuery.RING_SIZE: self.size,
            RingbufQuery.CONS_POS: consumed,
            RingbufQuery.PROD_POS: produced,
        }
        return answers.get(what, 0)

    def _pending(self) -> int:
        """Return the position of the first record that is not finished: nothing may be written over it."""
        position, end = self.consumer[0], self.producer[0]
        while position < end:
            word = self.headers[(position & (self.size - 1)) // 4]
            if word & BUSY:
                break
            position += record_size(word & RING_LENGTH_MASK)
        return position

    def _set_header(self, offset: int, word: int, page: int) -> None:
        for start in (offset, offset + self.size):
            self.headers[start // 4 + 1] = page
            self.headers[start // 4] = word

    def _mirror(self, start: int, length: int) -> None:
        """Copy what was written at an offset to the other copy, and what reached beyond the first to its start."""
        end = start + length
        inside = min(end, self.size)
        self.data[start + self.size : inside + self.size] = self.data[start:inside]
        if end > self.size:
            low = max(start, self.size)
            self.data[low - self.size : end - self.size] = self.data[low:end]


TYPES = {MapType.RINGBUF: RingbufMap}
