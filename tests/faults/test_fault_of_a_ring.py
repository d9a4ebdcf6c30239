from __future__ import annotations

import mmap
from contextlib import closing

import pytest

from bpflab import Lab
from bpflab.errors import ArgumentError
from bpflab.events import RingBufferConsumer

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
        bpf.faults.fail("poll", "ENOMEM", times=1)
        with pytest.raises(OSError, match="poll"):
            consumer.get(timeout=1)
