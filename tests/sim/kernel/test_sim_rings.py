"""Ring buffers and perf buffers of the simulator have the memory that their readers expect, and the kernel's rules."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import RingbufFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.rings import (
    PERF_COUNT_SW_BPF_OUTPUT,
    PERF_EVENT_ATTR,
    PERF_SAMPLE_RAW,
    RING_LENGTH_MASK,
    PerfType,
    record_size,
)
from bpflab.backend.attr import Attr
from bpflab.sim.backend import SimBackend
from bpflab.sim.maps.ringbuf import RingbufMap
from bpflab.sim.maps.user_ringbuf import UserRingbufMap
from bpflab.sim.perf import SimPerfEvent
from bpflab.sim.refusal import Refusal

Made = Callable[..., tuple[int, Any]]
PAGE = 4096
EAGAIN, EINVAL, ENODATA, ENOSPC, E2BIG = 11, 22, 61, 28, 7


@pytest.fixture
def ring(made: Made) -> tuple[int, RingbufMap]:
    """Make a ring buffer of a page in the simulator, and give its descriptor and itself."""
    fd, found = made(MapType.RINGBUF, max_entries=PAGE)
    assert isinstance(found, RingbufMap)
    return fd, found


def test_a_record_is_found_where_the_reader_of_a_ring_buffer_looks(
    sim: SimBackend, ring: tuple[int, RingbufMap]
) -> None:
    fd, found = ring
    assert found.output(b"hello", 0) == 0
    pages = sim.mmap(fd, 3 * PAGE, writable=False, offset=PAGE)
    with memoryview(pages) as view:
        assert struct.unpack_from("=Q", view)[0] == record_size(5) == 16
        assert struct.unpack_from("=II", view, PAGE) == (5, 3)
        assert bytes(view[PAGE + 8 : PAGE + 13]) == bytes(view[2 * PAGE + 8 : 2 * PAGE + 13]) == b"hello"
    pages.close()


def test_records_that_go_round_the_end_are_whole_in_both_copies(sim: SimBackend, ring: tuple[int, RingbufMap]) -> None:
    fd, found = ring
    consumer = sim.mmap(fd, PAGE, writable=True)
    for number in range(200):
        data = bytes([number]) * (number * 7 % 120 + 1)
        start = found.producer[0] % PAGE
        assert found.output(data, 0) == 0
        copied = bytes(found.data[start + 8 : start + 8 + len(data)])
        wrapped = bytes(found.data[(start + 8 + index) % PAGE] for index in range(len(data)))
        assert copied == wrapped == data
        with memoryview(consumer) as view:
            struct.pack_into("=Q", view, 0, found.producer[0])
    consumer.close()


def test_a_reserved_record_is_busy_until_it_is_submitted(ring: tuple[int, RingbufMap]) -> None:
    _, found = ring
    record = found.record_at(found.reserve(16))
    assert record is not None
    assert found.headers[0] == 16 | RingbufFlag.BUSY_BIT
    found.commit(record, 0)
    assert found.headers[0] == 16
    assert found.record_at(record.region.address) is None
    given_up = found.record_at(found.reserve(16))
    assert given_up is not None
    found.commit(given_up, 0, discard=True)
    assert found.headers[6] == 16 | RingbufFlag.DISCARD_BIT
    assert found.headers[6] & RING_LENGTH_MASK == 16


def test_nothing_is_written_over_what_was_not_read(ring: tuple[int, RingbufMap]) -> None:
    _, found = ring
    assert found.reserve(PAGE) == 0
    assert found.output(bytes(PAGE - 16), 0) == 0
    assert found.output(b"", 0) == -EAGAIN
    found.consumer[0] = found.producer[0]
    assert found.output(b"", 0) == 0
    assert found.output(b"x", 4) == -EINVAL
    assert [found.query(what) for what in range(5)] == [8, PAGE, PAGE - 8, PAGE, 0]


def test_nothing_is_written_over_a_record_that_is_not_finished(ring: tuple[int, RingbufMap]) -> None:
    _, found = ring
    record = found.record_at(found.reserve(8))
    assert record is not None
    assert found.output(bytes(2000), 0) == 0
    found.consumer[0] = found.producer[0]
    found.consumer[0] = 0
    assert found.output(bytes(2100), 0) == -EAGAIN
    found.commit(record, 0)
    found.consumer[0] = found.producer[0]
    assert found.output(bytes(2100), 0) == 0


def test_a_reader_that_waits_is_woken_as_the_flags_say(
    sim: SimBackend, ring: tuple[int, RingbufMap], monkeypatch: pytest.MonkeyPatch
) -> None:
    fd, found = ring
    woken: list[int] = []
    monkeypatch.setattr(sim.kernel, "wake", lambda: woken.append(1))
    for flags, count in ((0, 1), (0, 1), (RingbufFlag.NO_WAKEUP, 1), (RingbufFlag.FORCE_WAKEUP, 2)):
        assert found.output(b"event", flags) == 0
        assert len(woken) == count
    assert sim.poll([fd], 0) == [fd]
    found.consumer[0] = found.producer[0]
    assert sim.poll([fd], 0) == []


def test_a_program_reads_what_user_space_wrote(sim: SimBackend, made: Made) -> None:
    fd, found = made(MapType.USER_RINGBUF, max_entries=PAGE)
    assert isinstance(found, UserRingbufMap)
    memory = sim.mmap(fd, 2 * PAGE, writable=True, offset=PAGE)
    refusals = []
    with memoryview(memory) as view:
        for length, produced in ((5, 16), (RingbufFlag.DISCARD_BIT | 4, 32), (RingbufFlag.BUSY_BIT | 4, 48), (60, 48)):
            struct.pack_into("=I4s", view, PAGE + found.consumer[0], length, b"")
            view[PAGE + found.consumer[0] + 8 : PAGE + found.consumer[0] + 13] = b"hello"
            struct.pack_into("=Q", view, 0, produced)
            try:
                assert found.peek() == b"hello"
                found.release(5)
            except Refusal as refusal:
                refusals.append(refusal.errno)
    memory.close()
    assert refusals == [EAGAIN, ENODATA, EINVAL]


def event(sim: SimBackend, **values: int) -> tuple[int, SimPerfEvent]:
    given = {"type": PerfType.SOFTWARE, "config": PERF_COUNT_SW_BPF_OUTPUT, "sample_type": PERF_SAMPLE_RAW} | values
    fd = sim.perf_event_open(bytes(PERF_EVENT_ATTR.pack(given)), -1, 0, -1, 0)
    found = sim.kernel.files.get(fd).object
    assert isinstance(found, SimPerfEvent)
    return fd, found


def test_a_sample_is_found_where_the_reader_of_a_perf_buffer_looks(sim: SimBackend) -> None:
    fd, found = event(sim)
    memory = sim.mmap(fd, 3 * PAGE, writable=True)
    assert found.output(b"hello") == 0
    with memoryview(memory) as view:
        assert struct.unpack_from("=Q", view, 1024)[0] == 24
        assert struct.unpack_from("=IHHI5s", view, PAGE) == (9, 0, 24, 12, b"hello")
    assert sim.poll([fd], 0) == [fd]
    assert sim.poll([fd], 0) == []
    memory.close()


def test_samples_that_found_the_buffer_full_are_told_with_the_next(sim: SimBackend) -> None:
    fd, found = event(sim)
    assert found.output(b"nowhere to go") == -ENOSPC
    memory = sim.mmap(fd, 2 * PAGE, writable=True)
    assert found.output(bytes(2100)) == 0
    assert found.output(bytes(2100)) == -ENOSPC
    with memoryview(memory) as view:
        assert struct.unpack_from("=IHHQQ", view, PAGE) == (2, 0, 24, 0, 1)
        struct.pack_into("=Q", view, 1032, struct.unpack_from("=Q", view, 1024)[0])
    assert found.output(b"after") == 0
    assert found.lost == 0
    memory.close()


def test_a_perf_array_writes_to_the_event_of_the_cpu(sim: SimBackend, made: Made) -> None:
    fd, _ = event(sim)
    map_fd, events = made(MapType.PERF_EVENT_ARRAY, key_size=4, value_size=4, max_entries=2)
    values: dict[str, int | bytes] = {"map_fd": map_fd, "key": bytes(4), "value": struct.pack("=I", fd)}
    attr = Attr(Command.MAP_UPDATE_ELEM, values)
    assert sim.bpf(Command.MAP_UPDATE_ELEM, attr.pointer, attr.size) == 0
    memory = sim.mmap(fd, 2 * PAGE, writable=True)
    assert [events.output(index, b"x") for index in (0, 1, 2)] == [0, -2, -E2BIG]
    sim.kernel.cpu = 1
    assert events.output(0, b"x") == -95
    memory.close()
