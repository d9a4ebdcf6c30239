"""Perf events of the simulated kernel: the software event that perf_event_output writes to.

The buffer has the kernel's layout: a page with the two positions, and the data behind it, a power
of two of pages (linux/perf_event.h, struct perf_event_mmap_page).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, ClassVar, Final

from bpflab.abi.errno import Errno
from bpflab.abi.rings import (
    PERF_COUNT_SW_BPF_OUTPUT,
    PERF_DATA_HEAD,
    PERF_DATA_TAIL,
    PERF_EVENT_ATTR,
    PERF_HEADER,
    PERF_LOST,
    PERF_SAMPLE_RAW,
    PerfRecord,
    PerfType,
    watermark_bit,
)
from bpflab.sim.objects import KernelObject
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.shared import PAGE_SIZE, SharedMemory

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel

SIZE_FIELD: Final = struct.Struct("=I")
WORD: Final = struct.Struct("=Q")
ALIGNMENT: Final = 8
IOC_ENABLE: Final = 0x2400
IOC_DISABLE: Final = 0x2401
IOC_SET_BPF: Final = 0x40042408
"""ioctl(2) requests of a perf event, PERF_EVENT_IOC_* (linux/perf_event.h)."""
MAX_RECORD: Final = (1 << 16) - 1
"""The size of a record is a u16."""


class SimPerfEvent(KernelObject):
    """A perf event of one CPU. Its buffer is made when it is mapped; before that and while it is full, output fails."""

    kind: ClassVar[str] = "perf_event"

    def __init__(self, kernel: SimKernel, attr: bytes, cpu: int) -> None:
        super().__init__()
        values = PERF_EVENT_ATTR.unpack(attr)
        self.kernel = kernel
        self.cpu = cpu
        self.type = values["type"]
        self.config = values["config"]
        self.sample_type = int(values["sample_type"])
        self.enabled = True
        self.lost = 0
        self.program: SimProgram | None = None
        self._by_bytes = bool(int(values["bits"]) & watermark_bit(kernel.machine.byteorder))
        self._every = int(values["wakeup_events"]) or 1
        self._since_wakeup = 0
        self._woken = False
        self._shared: SharedMemory | None = None
        self._data = memoryview(b"")

    @property
    def takes_output(self) -> bool:
        """Whether it is the event that programs write to."""
        return (self.type, self.config) == (PerfType.SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT)

    def map(self, length: int) -> SharedMemory:
        """Make the buffer, or return it; EINVAL unless it is a page and a power of two of pages."""
        pages = length // PAGE_SIZE - 1
        refuse_if(length % PAGE_SIZE or pages < 0 or pages & (pages - 1))
        refuse_if(self._shared is not None and self._shared.size != length)
        if self._shared is None:
            self._shared = SharedMemory(length)
            self._data = self._shared.view[PAGE_SIZE:]
        return self._shared

    def output(self, data: bytes) -> int:
        """Write a sample: 0, or ENOSPC when there is no room for it, which is counted and told with the next."""
        if not self.enabled or not self.sample_type & PERF_SAMPLE_RAW:
            return 0
        size = len(data) + SIZE_FIELD.size
        raw = data.ljust(-(-size // ALIGNMENT) * ALIGNMENT - SIZE_FIELD.size, b"\0")
        body = SIZE_FIELD.pack(len(raw)) + raw
        head = PERF_HEADER.pack({"type": PerfRecord.SAMPLE, "size": PERF_HEADER.size + len(body)})
        record = bytes(head) + body
        told = self._lost_record()
        if self._shared is None or not self._fits(len(told) + len(record)):
            self.lost += 1
            return -Errno.ENOSPC
        self.lost = 0
        self._write(told + record)
        self._notify(len(record))
        return 0

    def set_program(self, program: SimProgram) -> None:
        """Note the program that the event would run; EEXIST for a second one."""
        refuse_if(self.program is not None, Errno.EEXIST)
        program.get()
        self.program = program

    def readable(self) -> bool:
        """Whether enough was written since the last poll that saw it."""
        woken, self._woken = self._woken, False
        return woken

    def free(self) -> None:
        """Give up the buffer and the program."""
        if self.program is not None:
            self.program.put()
        self._data.release()
        if self._shared is not None:
            self._shared.close()

    def _lost_record(self) -> bytes:
        if not self.lost:
            return b""
        values = {"type": PerfRecord.LOST, "size": PERF_LOST.size, "id": 0, "lost": self.lost}
        return bytes(PERF_LOST.pack(values))

    def _fits(self, size: int) -> bool:
        head, tail = self._position(PERF_DATA_HEAD), self._position(PERF_DATA_TAIL)
        return size < len(self._data) - (head - tail) and size <= MAX_RECORD

    def _write(self, record: bytes) -> None:
        head = self._position(PERF_DATA_HEAD)
        offset = head % len(self._data)
        first = min(len(record), len(self._data) - offset)
        self._data[offset : offset + first] = record[:first]
        self._data[: len(record) - first] = record[first:]
        self._set_position(PERF_DATA_HEAD, head + len(record))

    def _notify(self, size: int) -> None:
        self._since_wakeup += size if self._by_bytes else 1
        if self._since_wakeup >= self._every:
            self._since_wakeup = 0
            self._woken = True
            self.kernel.wake()

    def _position(self, offset: int) -> int:
        if self._shared is None:
            return 0
        position: int = WORD.unpack_from(self._shared.view, offset)[0]
        return position

    def _set_position(self, offset: int, position: int) -> None:
        if self._shared is not None:
            WORD.pack_into(self._shared.view, offset, position)


def perf_ioctl(kernel: SimKernel, fd: int, request: int, argument: int) -> int:
    """Answer ioctl(2): switch a perf event on or off, or note a program for it; ENOTTY for anything else."""
    target = kernel.files.get(fd).object
    if not isinstance(target, SimPerfEvent) or request not in {IOC_ENABLE, IOC_DISABLE, IOC_SET_BPF}:
        raise Refusal(Errno.ENOTTY)
    if request == IOC_SET_BPF:
        target.set_program(kernel.find(argument, SimProgram))
    else:
        target.enabled = request == IOC_ENABLE
    return 0
