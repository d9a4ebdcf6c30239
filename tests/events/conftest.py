"""Where the events of these tests come from: memory laid out as a ring buffer, a list, and Labs."""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import re
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from bpflab.backend.select import kernel_refusal
from bpflab.events.source import Batch
from bpflab.lab import Lab
from bpflab.sim.backend import SimBackend
from bpflab.sim.helpers import find_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

BUSY = 1 << 31
DISCARDED = 1 << 30
PAGE = mmap.PAGESIZE


class Mapped(bytearray):
    """Memory that refuses to be unmapped while it is viewed, as a memory map does."""

    unmapped = 0

    def close(self) -> None:
        self.append(0)  # BufferError while views are alive
        self.pop()
        self.unmapped += 1


class MemoryRing:
    """A ring buffer without a kernel, and the kernel's side of it. Its data is not mirrored."""

    def __init__(self, size: int = 4096) -> None:
        self.size = size
        self.consumer = Mapped(PAGE)
        self.producer = Mapped(PAGE + size)
        self.position = 0

    def reserve(self, length: int) -> int | None:
        """The record's position; None when there is no room."""
        stride = 8 + (length + 7) // 8 * 8
        if stride > self.size - (self.position - self.consumed):
            return None
        position = self.position
        self._header(position, length | BUSY)
        self.position += stride
        struct.pack_into("=Q", self.producer, 0, self.position)
        return position

    def submit(self, position: int, data: bytes) -> None:
        for index, byte in enumerate(data):
            self.producer[PAGE + (position + 8 + index) % self.size] = byte
        self._header(position, len(data))

    def discard(self, position: int) -> None:
        length: int = struct.unpack_from("=I", self.producer, PAGE + position % self.size)[0] & ~BUSY
        self._header(position, length | DISCARDED)

    def output(self, data: bytes) -> bool:
        position = self.reserve(len(data))
        if position is not None:
            self.submit(position, data)
        return position is not None

    @property
    def consumed(self) -> int:
        position: int = struct.unpack_from("=Q", self.consumer)[0]
        return position

    def _header(self, position: int, word: int) -> None:
        struct.pack_into("=II", self.producer, PAGE + position % self.size, word, position >> 12)


@dataclass
class MemoryBackend:
    """The calls of a backend that a ring buffer's consumer makes, on one MemoryRing. Polls return at once."""

    ring: MemoryRing
    open_fds: set[int] = field(default_factory=lambda: {3})
    name: str = "memory"

    def dup(self, fd: int) -> int:
        assert fd in self.open_fds
        self.open_fds.add(max(self.open_fds) + 1)
        return max(self.open_fds)

    def close(self, fd: int) -> None:
        self.open_fds.remove(fd)

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> Mapped:
        assert fd in self.open_fds
        assert writable == (offset == 0)
        memory = self.ring.producer if offset else self.ring.consumer
        assert length <= len(memory)
        return memory

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        assert timeout is not None
        return list(fds) if self.ring.position != self.ring.consumed else []

    def fence(self) -> None:
        """Nothing to order in one process."""


class FakeLab:
    """The part of a Lab that consumers use."""

    def __init__(self, backend: object = None) -> None:
        self.backend = backend
        self.owned: list[object] = []
        self.own = self.owned.append
        self.disown = self.owned.remove

    def check_open(self) -> None:
        """Always open."""


@dataclass(frozen=True)
class EventsMap:
    """A map as consumers see it."""

    lab: Lab
    fd: int
    max_entries: int
    name: str = "events"

    def fileno(self) -> int:
        return self.fd


class ListSource:
    """A source that a test fills with `put`; each event takes its length and 8 bytes more."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.closed = threading.Event()
        self.failure: Exception | None = None
        self._news = threading.Event()

    def put(self, *events: bytes) -> None:
        self.waiting.extend(events)
        self._news.set()

    @property
    def lag(self) -> int:
        return sum(len(event) + 8 for event in tuple(self.waiting))

    def read(self, limit: int | None = None) -> Batch:
        if self.failure is not None:
            raise self.failure
        assert not self.closed.is_set()
        count = len(self.waiting) if limit is None else min(limit, len(self.waiting))
        events = [self.waiting.popleft() for _ in range(count)]
        size = sum(map(len, events))
        return Batch(events, size=size, consumed=size + 8 * count)

    def wait(self, timeout: float) -> None:
        self._news.wait(timeout)
        self._news.clear()

    def close(self) -> None:
        self.closed.set()


def memory_map(ring: MemoryRing) -> EventsMap:
    return EventsMap(cast("Lab", FakeLab(MemoryBackend(ring))), 3, ring.size)


@pytest.fixture(scope="session")
def new_ring() -> Callable[[int], MemoryRing]:
    return MemoryRing


@pytest.fixture
def ring() -> MemoryRing:
    return MemoryRing()


@pytest.fixture
def ring_map(ring: MemoryRing) -> EventsMap:
    return memory_map(ring)


@pytest.fixture
def source() -> ListSource:
    return ListSource()


@pytest.fixture
def list_map() -> EventsMap:
    return EventsMap(cast("Lab", FakeLab()), -1, 0)


@pytest.fixture(params=["kernel", "sim"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A Lab on each kernel, for programs that call the helpers in HELPERS of the test's module."""
    if request.param == "kernel" and (refusal := kernel_refusal()):
        pytest.skip(refusal)
    if request.param == "sim":
        for name in request.module.HELPERS:
            if find_helper(name) is None:
                pytest.skip(f"The simulated kernel has no helper {name} yet.")
    with Lab(request.param) as lab:
        yield lab


def count_open_things(lab: Lab) -> int:
    """Descriptors and memory maps that belong to BPF: of the running kernel, and of a simulated one."""
    gc.collect()  # what an earlier test left to the collector must not be closed between two counts
    with open("/proc/self/maps", encoding="ascii") as maps:  # noqa: PTH123 - a special file, read line by line
        mapped = sum(1 for line in maps if OF_BPF.search(line))
    simulated = len(lab.backend.kernel.files) if isinstance(lab.backend, SimBackend) else 0
    return mapped + simulated + sum(1 for target in open_files() if OF_BPF.search(target))


def open_files() -> Iterator[str]:
    """What every descriptor of the process leads to."""
    for fd in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, which are numbers, are wanted
        with contextlib.suppress(OSError):
            yield os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - most lead to no path


OF_BPF = re.compile(r"bpf|perf_event|memfd:")
"""The kernel's names for what maps, programs, links, perf events and simulated memory are open as."""


@pytest.fixture
def open_things() -> Callable[[Lab], int]:
    return count_open_things
