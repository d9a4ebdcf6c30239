"""The ring buffer of a kernel, running or simulated: what programs write is what the consumer delivers."""

from __future__ import annotations

import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.errors import ClosedError
from bpflab.events import RingBufferConsumer
from bpflab.maps.rings import RingBuf

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.programs.program import Program

HELPERS = ("ringbuf_output", "ringbuf_reserve", "ringbuf_discard")
PACKET = bytes(64)
CONTROL_SIZE = 8192

# The value of `control`: the next number, how many records found no room, and what `output` writes.
OUTPUT = """
    r6 = map[fd:{control}][0]+0
    r3 = *(u64 *)(r6 + 0)
    r3 &= 4095
    r2 = r6
    r2 += 16
    r1 = map[fd:{ring}]
    r4 = 0
    call bpf_ringbuf_output
    exit
"""

DISCARD = """
    r1 = map[fd:{ring}]
    r2 = {length}
    r3 = 0
    call bpf_ringbuf_reserve
    if r0 == 0 goto full
    r1 = r0
    r2 = 0
    call bpf_ringbuf_discard
full:
    r0 = 0
    exit
"""

NUMBER = """
    r6 = map[fd:{control}][0]+0
    r7 = *(u64 *)(r6 + 0)
    *(u64 *)(r10 - 64) = r7
    *(u64 *)(r10 - 56) = r7
    *(u64 *)(r10 - 48) = r7
    *(u64 *)(r10 - 40) = r7
    *(u64 *)(r10 - 32) = r7
    *(u64 *)(r10 - 24) = r7
    *(u64 *)(r10 - 16) = r7
    *(u64 *)(r10 - 8) = r7
    r2 = r10
    r2 += -64
    r1 = map[fd:{ring}]
    r3 = 64
    r4 = {flags}
    call bpf_ringbuf_output
    if r0 != 0 goto full
    r7 += 1
    *(u64 *)(r6 + 0) = r7
    r0 = 0
    exit
full:
    r1 = *(u64 *)(r6 + 8)
    r1 += 1
    *(u64 *)(r6 + 8) = r1
    r0 = 1
    exit
"""


@dataclass(frozen=True)
class Emitter:
    """Programs that write to one ring buffer, and the array that says what."""

    lab: Lab
    ring: RingBuf
    control: Map[int, bytes]

    @classmethod
    def make(cls, lab: Lab, size: int) -> Self:
        ring = lab.map("ringbuf", max_entries=size)
        assert isinstance(ring, RingBuf)
        control = lab.map("array", value=CONTROL_SIZE, max_entries=1)
        return cls(lab, ring, control)

    def load(self, text: str, **values: int) -> Program:
        return self.lab.program(text.format(ring=self.ring.fileno(), control=self.control.fileno(), **values))

    def write_control(self, first: int, data: bytes = b"") -> None:
        self.control[0] = (struct.pack("=QQ", first, 0) + data).ljust(CONTROL_SIZE, b"\0")

    def read_control(self) -> tuple[int, int]:
        number, refused = struct.unpack_from("=QQ", self.control[0])
        return number, refused


def numbers(events: list[bytes]) -> list[int]:
    found = []
    for event in events:
        words = struct.unpack("=8Q", event)
        assert len(set(words)) == 1, "the record is torn"
        found.append(words[0])
    return found


OPERATIONS = st.one_of(
    st.tuples(st.just("output"), st.integers(0, 600) | st.sampled_from([0, 8, 64, 2000])),
    st.tuples(st.just("discard"), st.sampled_from([8, 40, 1000])),
    st.tuples(st.just("drain"), st.just(0)),
    st.tuples(st.just("take"), st.integers(1, 3)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(operations=st.lists(OPERATIONS, max_size=60))
def test_every_sequence_of_records_arrives_intact_and_in_order(lab: Lab, operations: list[tuple[str, int]]) -> None:
    emit = Emitter.make(lab, 4096)
    output = emit.load(OUTPUT)
    discards = {length: emit.load(DISCARD, length=length) for length in (8, 40, 1000)}
    expected: list[bytes] = []
    with RingBufferConsumer(emit.ring) as consumer:
        for number, (operation, argument) in enumerate(operations):
            if operation == "output":
                data = (b"%d," % number * argument)[:argument]
                emit.write_control(argument, data)
                if output.run(PACKET).retval == 0:
                    expected.append(data)
            elif operation == "discard":
                discards[argument].run(PACKET)
            elif operation == "drain":
                assert consumer.drain() == expected
                expected = []
            else:
                assert consumer.take(argument, timeout=0) == expected[:argument]
                expected = expected[argument:]
        assert consumer.drain() == expected
        assert consumer.lag == 0


@pytest.mark.parametrize(("size", "wanted"), [(1 << 12, 3_000), (1 << 16, 60_000), (1 << 20, 400_000)])
def test_nothing_is_lost_doubled_or_torn_beside_a_running_producer(lab: Lab, size: int, wanted: int) -> None:
    emit = Emitter.make(lab, size)
    program = emit.load(NUMBER, flags=0)
    wanted = wanted if lab.backend.name == "kernel" else wanted // 100

    def produce() -> None:
        while emit.read_control()[0] < wanted:
            program.run(PACKET, repeat=min(wanted, size // 64))

    seen: list[int] = []
    with RingBufferConsumer(emit.ring) as consumer:
        producer = threading.Thread(target=produce)
        producer.start()
        while producer.is_alive():
            seen += numbers(consumer.drain())
        producer.join()
        seen += numbers(consumer.drain())
    written, _ = emit.read_control()
    assert written >= wanted
    assert seen == list(range(written))


def wait_until(condition: Callable[[], bool]) -> None:
    """Give the consumer's thread its turn; a condition that never holds fails the test."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_stopping_makes_the_kernel_refuse_and_loses_nothing_that_was_accepted(lab: Lab) -> None:
    emit = Emitter.make(lab, 4096)
    program = emit.load(NUMBER, flags=0)
    with RingBufferConsumer(emit.ring, max_pending=5, policy="stop").start() as consumer:
        program.run(PACKET, repeat=200)
        written, refused = emit.read_control()
        wait_until(lambda: consumer.pending == 5)
        assert consumer.dropped == 0
        assert written + refused == 200
        assert refused > 0
        assert numbers(consumer.take(written, timeout=30)) == list(range(written))


def test_records_that_wake_nobody_are_found_too(lab: Lab) -> None:
    emit = Emitter.make(lab, 4096)
    silent = emit.load(NUMBER, flags=1)
    with RingBufferConsumer(emit.ring) as consumer:
        timer = threading.Timer(0.02, silent.run, [PACKET])
        timer.start()
        assert numbers([consumer.get(timeout=30)]) == [0]
        timer.join()


def test_a_handler_gets_what_a_program_writes(lab: Lab) -> None:
    emit = Emitter.make(lab, 1 << 16)
    program = emit.load(NUMBER, flags=0)
    seen: list[bytes] = []
    with RingBufferConsumer(emit.ring, handler=seen.append) as consumer:
        program.run(PACKET, repeat=100)
        consumer.flush(timeout=30)
        assert numbers(seen) == list(range(100))
        program.run(PACKET, repeat=10)
    assert numbers(seen) == list(range(110))


def test_a_second_consumer_goes_on_behind_what_the_first_has_read(lab: Lab) -> None:
    emit = Emitter.make(lab, 4096)
    program = emit.load(NUMBER, flags=0)
    program.run(PACKET, repeat=3)
    with RingBufferConsumer(emit.ring, max_pending=2, policy="stop") as first:
        assert numbers(first.take(1)) == [0]
        assert first.pending == 1
    with RingBufferConsumer(emit.ring) as second:
        program.run(PACKET)
        assert numbers(second.drain()) == [2, 3]


def test_closing_leaves_no_descriptor_and_no_mapping(lab: Lab, open_things: Callable[[Lab], int]) -> None:
    emit = Emitter.make(lab, 1 << 20)
    before = open_things(lab)
    consumers = [RingBufferConsumer(emit.ring), RingBufferConsumer(emit.ring)]
    assert open_things(lab) > before
    for consumer in consumers:
        consumer.close()
    assert open_things(lab) == before


def test_the_lab_closes_its_consumers(lab: Lab) -> None:
    consumer = RingBufferConsumer(Emitter.make(lab, 4096).ring)
    lab.close()
    with pytest.raises(ClosedError):
        consumer.drain()
