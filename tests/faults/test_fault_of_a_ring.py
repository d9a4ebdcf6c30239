from __future__ import annotations

import mmap
from contextlib import closing

import pytest

from bpflab import Lab
from bpflab.errors import ArgumentError, NotPermittedError, OutOfMemoryError, SyscallError
from bpflab.events import PerfBufferConsumer, RingBufferConsumer

SEND = """
    *(u64 *)(r10 - 8) = 7
    r1 = map[name:ring]
    r2 = r10
    r2 += -8
    r3 = 8
    r4 = 0
    call ringbuf_output
    exit
"""
EAGAIN = -11 & 0xFFFFFFFF


@pytest.mark.parametrize("pages", [1, 4])
def test_a_full_ring_drops_records_until_its_consumer_passes_what_fills_it(bpf: Lab, pages: int) -> None:
    ring = bpf.map("ringbuf", max_entries=pages * mmap.PAGESIZE, name="ring")
    send = bpf.program(SEND)
    with closing(RingBufferConsumer(ring)) as consumer:
        assert bpf.faults.fill_ring(ring) == ring.max_entries - 8
        assert send.run(bytes(64)).retval == EAGAIN
        assert consumer.drain() == []
        assert send.run(bytes(64)).retval == 0
        assert consumer.drain() == [(7).to_bytes(8, bpf.backend.byteorder)]


def test_what_is_in_the_ring_stays(bpf: Lab) -> None:
    ring = bpf.map("ringbuf", max_entries=mmap.PAGESIZE, name="ring")
    send = bpf.program(SEND)
    with closing(RingBufferConsumer(ring)) as consumer:
        send.run(bytes(64))
        bpf.faults.fill_ring(ring)
        assert send.run(bytes(64)).retval == EAGAIN
        assert consumer.drain() == [(7).to_bytes(8, bpf.backend.byteorder)]


def test_only_a_ring_can_be_filled(bpf: Lab) -> None:
    with pytest.raises(ArgumentError, match="is no ring buffer"):
        bpf.faults.fill_ring(bpf.map("array", value="u32", max_entries=1))


def test_a_consumer_whose_poll_fails_lets_its_user_know(bpf: Lab) -> None:
    ring = bpf.map("ringbuf", max_entries=mmap.PAGESIZE, name="ring")
    with closing(RingBufferConsumer(ring)) as consumer:
        bpf.faults.fail("poll", "EMFILE", times=1)
        with pytest.raises(SyscallError, match="poll of the ring buffer answered EMFILE"):
            consumer.get(timeout=1)


@pytest.mark.parametrize("after", [0, 1], ids=["the first page", "the rest"])
def test_a_ring_that_cannot_be_mapped_leaves_nothing_open(bpf: Lab, after: int) -> None:
    ring = bpf.map("ringbuf", max_entries=mmap.PAGESIZE, name="ring")
    closed = bpf.faults.delay("close", 0)
    with (
        bpf.faults.fail("mmap", "ENOMEM", after=after, expected=True),
        pytest.raises(OutOfMemoryError, match="mmap of the ring buffer 'ring' answered ENOMEM"),
    ):
        RingBufferConsumer(ring)
    assert closed.seen == 1


@pytest.mark.parametrize(
    ("error", "kind"), [("EMFILE", SyscallError), ("ENOMEM", OutOfMemoryError), ("EACCES", NotPermittedError)]
)
def test_a_perf_buffer_that_cannot_be_opened_is_told(bpf: Lab, error: str, kind: type[SyscallError]) -> None:
    samples = bpf.map("perf_event_array", name="samples")
    bpf.faults.fail("perf_event_open", error)
    with pytest.raises(kind, match="CPU 0"):
        PerfBufferConsumer(samples)
