"""One CPU's perf event: opened, mapped, and put into a PERF_EVENT_ARRAY map for programs to write to."""

from __future__ import annotations

import errno
import mmap
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.flags import UpdateFlag
from bpflab.abi.rings import (
    PERF_COUNT_SW_BPF_OUTPUT,
    PERF_DATA_PAGE,
    PERF_EVENT_ATTR,
    PERF_SAMPLE_RAW,
    PerfFlag,
    PerfType,
    watermark_bit,
)
from bpflab.backend.call import ENOMEM, EPERM, beside_error
from bpflab.errors import ArgumentError, CallFailure, NotPermittedError, OutOfMemoryError, SyscallError
from bpflab.events.order import fence_of
from bpflab.events.perf_reader import PerfReader

if TYPE_CHECKING:
    from bpflab.lab import Lab

ALL_PROCESSES = -1
NO_GROUP = -1


@dataclass(frozen=True, slots=True)
class PerfSetup:
    """How each CPU's buffer is made.

    `pages` of data, a power of two. A waiting consumer is woken every `wakeup_events` samples, or, with
    `watermark`, when so many bytes are there. `event_size` is the bytes that the program passes to perf_event_output:
    the kernel pads samples (64 bytes come as 68), and only the consumer's owner knows what to cut off.
    """

    pages: int = 8
    wakeup_events: int = 1
    watermark: int | None = None
    event_size: int | None = None

    def __post_init__(self) -> None:
        if self.pages < 1 or self.pages & (self.pages - 1):
            raise ArgumentError(f"pages is {self.pages}; expected a power of two, such as 8.")
        for name in ("wakeup_events", "watermark", "event_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ArgumentError(f"{name} is {value}; expected at least 1.")

    def attr(self, byteorder: str) -> bytes:
        """Return the perf_event_attr of a BPF_OUTPUT event with this setup."""
        return bytes(
            PERF_EVENT_ATTR.pack(
                {
                    "type": PerfType.SOFTWARE,
                    "size": PERF_EVENT_ATTR.size,
                    "config": PERF_COUNT_SW_BPF_OUTPUT,
                    "sample_period": 1,
                    "sample_type": PERF_SAMPLE_RAW,
                    "bits": 0 if self.watermark is None else watermark_bit(byteorder),
                    "wakeup_events": self.watermark or self.wakeup_events,
                }
            )
        )


class PerfBuffer:
    """The buffer of one CPU in the map `map_fd`; `reader` reads it, `fd` is what to wait for."""

    def __init__(self, lab: Lab, map_fd: int, cpu: int, setup: PerfSetup) -> None:
        backend = lab.backend
        with ExitStack() as stack:
            attr = setup.attr(backend.byteorder)
            self.fd = backend.perf_event_open(attr, ALL_PROCESSES, cpu, NO_GROUP, PerfFlag.FD_CLOEXEC)
            stack.callback(backend.close, self.fd)
            size = (PERF_DATA_PAGE + setup.pages) * mmap.PAGESIZE
            memory = backend.mmap(self.fd, size, writable=True)
            stack.callback(memory.close)
            with memoryview(memory) as view:
                data = view[PERF_DATA_PAGE * mmap.PAGESIZE :]
                self.reader = PerfReader(view, data, fence_of(backend), setup.event_size)
            stack.callback(self.reader.release)
            key, value = struct.pack("=I", cpu), struct.pack("=I", self.fd)
            lab.call(Command.MAP_UPDATE_ELEM, map_fd=map_fd, key=key, value=value, flags=UpdateFlag.ANY)
            stack.callback(take_out, lab, map_fd, key)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Take the event out of the map, unmap the buffer and close the event."""
        self._stack.close()


def take_out(lab: Lab, map_fd: int, key: bytes) -> None:
    """Delete a map's element; one that somebody else deleted is no error."""
    try:
        lab.call(Command.MAP_DELETE_ELEM, map_fd=map_fd, key=key)
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise


def open_buffers(lab: Lab, map_fd: int, cpus: int, setup: PerfSetup, stack: ExitStack) -> list[PerfBuffer]:
    """Open the buffer of each of the first `cpus` CPUs that is online; the stack closes them."""
    buffers = []
    for cpu in range(cpus):
        try:
            buffers.append(PerfBuffer(lab, map_fd, cpu, setup))
        except OSError as error:
            if error.errno != errno.ENODEV:  # a possible CPU that is not online
                raise refusal(error, cpu) from error
        else:
            stack.callback(buffers[-1].close)
    return buffers


def refusal(error: OSError, cpu: int) -> Exception:
    """Say in words why a perf event could not be opened or mapped."""
    number = error.errno or 0
    failure = CallFailure("perf_event_open", number, errno.errorcode.get(number, "?"), arguments={"cpu": cpu})
    if number in {EPERM, errno.EACCES}:
        return NotPermittedError(
            f"The perf event of CPU {cpu} was refused ({failure.name}): it needs CAP_PERFMON, or more locked memory "
            "(ulimit -l, kernel.perf_event_mlock_kb) for fewer pages.",
            failure,
        )
    if number == ENOMEM:
        return OutOfMemoryError(
            f"The kernel has no memory for the perf buffer of CPU {cpu}; ask for fewer pages.", failure
        )
    return beside_error("perf_event_open", error, f"the perf buffer of CPU {cpu}")
