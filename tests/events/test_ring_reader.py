"""The ring buffer's reader against memory that is filled as a kernel fills it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bpflab.events.ring_reader import RingReader
from bpflab.events.runs import run_length

if TYPE_CHECKING:
    from tests.events.conftest import MemoryRing


def reader_of(ring: MemoryRing, fence: Callable[[], object] = lambda: None) -> RingReader:
    produced = memoryview(ring.producer)
    data = produced[len(ring.producer) - ring.size :]
    return RingReader(memoryview(ring.consumer), produced, data, fence)


def read_all(reader: RingReader, limit: int | None = None) -> list[bytes]:
    events: list[bytes] = []
    while (batch := reader.read(limit)).consumed:
        assert batch.size == sum(map(len, batch.events))
        assert limit is None or len(batch.events) <= limit
        events += batch.events
    return events


LENGTHS = st.sampled_from([0, 1, 7, 8, 9, 24, 64, 64, 64, 500]) | st.integers(0, 4088)


class RingMachine(RuleBasedStateMachine):
    """Producers finish records in any order; the reader sees the finished ones before the first busy one."""

    def __init__(self, new_ring: Callable[[int], MemoryRing]) -> None:
        super().__init__()
        self.new_ring = new_ring

    @initialize(size=st.sampled_from([4096, 8192]))
    def start(self, size: int) -> None:
        self.ring = self.new_ring(size)
        self.reader = reader_of(self.ring)
        self.busy: list[tuple[int, bytes]] = []
        self.unread: list[tuple[int, bytes | None]] = []
        self.number = 0

    def reserve(self, length: int) -> int | None:
        position = self.ring.reserve(length)
        if position is not None:
            self.number += 1
            data = (self.number.to_bytes(4, "little") * (length // 4 + 1))[:length]
            self.busy.append((position, data))
            self.unread.append((position, data))
        return position

    @rule(lengths=st.lists(LENGTHS, max_size=12))
    def reserve_some(self, lengths: list[int]) -> None:
        for length in lengths:
            self.reserve(length)

    @rule(length=LENGTHS, count=st.integers(1, 200))
    def output_alike(self, length: int, count: int) -> None:
        for _ in range(count):
            if self.reserve(length) is not None:
                self.ring.submit(*self.busy.pop())

    @rule(which=st.integers(0, 20), keep=st.booleans())
    def finish_one(self, which: int, keep: bool) -> None:
        if self.busy:
            position, data = self.busy.pop(which % len(self.busy))
            if keep:
                self.ring.submit(position, data)
            else:
                self.ring.discard(position)
                self.unread[self.unread.index((position, data))] = (position, None)

    @rule()
    def finish_all(self) -> None:
        while self.busy:
            self.finish_one(0, keep=True)

    @rule(limit=st.none() | st.integers(1, 9))
    def read(self, limit: int | None) -> None:
        first_busy = min((position for position, _ in self.busy), default=self.ring.position)
        finished = [record for record in self.unread if record[0] < first_busy]
        assert read_all(self.reader, limit) == [data for _, data in finished if data is not None]
        self.unread = self.unread[len(finished) :]
        assert self.ring.consumed == first_busy

    @rule()
    def read_nothing(self) -> None:
        assert self.reader.read(0).consumed == 0

    @invariant()
    def the_lag_is_what_is_not_read(self) -> None:
        assert self.reader.lag == self.ring.position - self.ring.consumed


def test_records_arrive_intact_and_in_order_whatever_their_sizes_and_fates(
    new_ring: Callable[[int], MemoryRing],
) -> None:
    run_state_machine_as_test(lambda: RingMachine(new_ring))  # type: ignore[arg-type]  # any factory will do


def test_a_record_finished_after_the_producers_position_was_read_is_not_read_stale(ring: MemoryRing) -> None:
    ring.output(b"first...")
    position = ring.reserve(8)
    assert position is not None
    fences: list[None] = []

    def finish_at_the_first_fence() -> None:
        if not fences:
            ring.submit(position, b"finished")
        fences.append(None)

    assert reader_of(ring, finish_at_the_first_fence).read().events == [b"first...", b"finished"]


def test_a_record_finished_after_the_headers_were_read_waits_for_the_next_reading(ring: MemoryRing) -> None:
    ring.output(b"first...")
    position = ring.reserve(8)
    assert position is not None
    fences: list[None] = []

    def finish_at_the_second_fence() -> None:
        if len(fences) == 1:
            ring.submit(position, b"finished")
            ring.output(b"another.")
        fences.append(None)

    reader = reader_of(ring, finish_at_the_second_fence)
    assert [reader.read().events, reader.read().events] == [[b"first..."], [b"finished", b"another."]]


def test_room_is_given_back_only_behind_the_last_fence(ring: MemoryRing) -> None:
    seen: list[int] = []
    reader = reader_of(ring, lambda: seen.append(ring.consumed))
    ring.output(b"12345678")
    reader.read()
    assert seen == [0, 0, 0]
    assert ring.consumed == 16


def test_discarded_records_are_counted_and_passed_over(ring: MemoryRing) -> None:
    for _ in range(3):
        position = ring.reserve(5)
        assert position is not None
        ring.discard(position)
    ring.output(b"kept")
    batch = reader_of(ring).read(1)
    assert (batch.events, batch.discarded, batch.size, batch.consumed) == ([b"kept"], 3, 4, 64)


@given(words=st.lists(st.integers(0, 2), min_size=1, max_size=300), step=st.integers(1, 3), start=st.integers(0, 5))
def test_a_run_is_as_long_as_its_words_are_equal(words: list[int], step: int, start: int) -> None:
    start %= len(words)
    alike = words[start::step]
    expected = next((n for n, word in enumerate(alike) if word != alike[0]), len(alike))
    view = memoryview(b"".join(word.to_bytes(4, "little") for word in words)).cast("I")
    assert run_length(view, start, step, len(alike)) == expected
