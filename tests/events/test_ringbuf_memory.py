"""The consumer on a backend that is no kernel: memory of the same layout, and polls that do not block."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest

from bpflab.abi.architectures import ARCHITECTURES, Architecture
from bpflab.errors import NotPermittedError, UnknownArchitectureError
from bpflab.events import RingBufferConsumer
from bpflab.events import order as order_module
from bpflab.events.order import fence_of

if TYPE_CHECKING:
    from tests.events.conftest import EventsMap, MemoryBackend, MemoryRing


def test_events_are_read_from_memory_that_is_not_mirrored(ring: MemoryRing, ring_map: EventsMap) -> None:
    expected = [b"%d" % number * 10 for number in range(300)]
    seen: list[bytes] = []
    with RingBufferConsumer(ring_map) as consumer:
        for event in expected:
            if not ring.output(event):
                seen += consumer.drain()
                ring.output(event)
        seen += consumer.events(timeout=0)
    assert seen == expected


def test_a_thread_delivers_while_another_writes(ring: MemoryRing, ring_map: EventsMap) -> None:
    seen: list[bytes] = []
    with RingBufferConsumer(ring_map, handler=seen.append):
        for number in range(2000):
            while not ring.output(b"%d" % number):
                threading.Event().wait(0.001)
    assert seen == [b"%d" % number for number in range(2000)]


def test_a_busy_record_holds_up_those_behind_it_until_it_is_finished(ring: MemoryRing, ring_map: EventsMap) -> None:
    position = ring.reserve(5)
    assert position is not None
    ring.output(b"later")
    with RingBufferConsumer(ring_map) as consumer:
        assert (consumer.drain(), consumer.lag) == ([], 32)
        timer = threading.Timer(0.02, ring.submit, [position, b"first"])
        timer.start()
        assert consumer.take(2, timeout=30) == [b"first", b"later"]
        timer.join()


def test_an_event_behind_discarded_records_is_there_at_once(ring: MemoryRing, ring_map: EventsMap) -> None:
    with RingBufferConsumer(ring_map) as consumer:
        ring.output(bytes(2000))
        consumer.drain()
        for _ in range(2):
            position = ring.reserve(1100)
            assert position is not None
            ring.discard(position)
        ring.output(b"behind the end of the buffer")
        assert consumer.get(timeout=0) == b"behind the end of the buffer"
        assert consumer.discarded == 2


def test_closing_unmaps_and_closes_what_was_opened_and_nothing_else(ring: MemoryRing, ring_map: EventsMap) -> None:
    backend = cast("MemoryBackend", ring_map.lab.backend)
    consumer = RingBufferConsumer(ring_map)
    assert len(backend.open_fds) == 2
    consumer.close()
    assert (backend.open_fds, ring.consumer.unmapped, ring.producer.unmapped) == ({3}, 1, 1)


def test_a_map_that_cannot_be_mapped_leaves_nothing_open(ring_map: EventsMap, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = cast("MemoryBackend", ring_map.lab.backend)
    working = backend.mmap

    def refuse_the_second(fd: int, length: int, *, writable: bool, offset: int = 0) -> object:
        if offset:
            raise PermissionError(1, "refused")
        return working(fd, length, writable=writable, offset=offset)

    monkeypatch.setattr(backend, "mmap", refuse_the_second)
    with pytest.raises(NotPermittedError, match="mmap"):
        RingBufferConsumer(ring_map)
    assert (backend.open_fds, backend.ring.consumer.unmapped) == ({3}, 1)
    assert not vars(ring_map.lab)["owned"]


@pytest.mark.parametrize(
    ("machine", "fenced"), [("x86_64", False), ("s390x", False), ("arm64", True), ("ppc64le", True), (None, True)]
)
def test_only_a_machine_that_reorders_pays_for_fences(
    ring_map: EventsMap, monkeypatch: pytest.MonkeyPatch, machine: str | None, fenced: bool
) -> None:
    def current() -> Architecture:
        if machine is None:
            raise UnknownArchitectureError("another machine")
        return ARCHITECTURES[machine]

    monkeypatch.setattr(order_module, "current", current)
    backend = ring_map.lab.backend
    assert (fence_of(backend) == backend.fence) is fenced
