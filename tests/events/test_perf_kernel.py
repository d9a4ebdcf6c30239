"""The perf buffer of the running kernel: what programs write is what the consumer delivers."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.commands import Command
from bpflab.abi.map_types import MapType
from bpflab.errors import ArgumentError, SyscallError
from bpflab.events import PerfBufferConsumer
from bpflab.events.perf_event import PerfBuffer, PerfSetup

if TYPE_CHECKING:
    from tests.events.conftest import EventsMap, Kernel

    from bpflab.programs.program import Program

PACKET = bytes(64)
CPUS = sorted(os.sched_getaffinity(0))

# The value of `control` begins with a length; what `output` writes follows.
OUTPUT = """
    r9 = r1
    r6 = map[fd:{control}][0]+0
    r5 = *(u64 *)(r6 + 0)
    r5 &= 4095
    r4 = r6
    r4 += 8
    r3 = 0xffffffff ll
    r2 = map[fd:{events}]
    r1 = r9
    call bpf_perf_event_output
    exit
"""


@dataclass(frozen=True)
class Emitter:
    """A program that writes to a perf event array, and the array that says what."""

    kernel: Kernel
    events: EventsMap
    control: EventsMap
    program: Program

    def output(self, data: bytes, *, cpu: int = CPUS[0], repeat: int = 1) -> int:
        value = (struct.pack("=Q", len(data)) + data).ljust(8192, b"\0")
        self.kernel.lab.call(Command.MAP_UPDATE_ELEM, map_fd=self.control.fd, key=bytes(4), value=value)
        with running_on(cpu):
            return self.program.run(PACKET, repeat=repeat).retval

    def take_out(self, cpu: int) -> bool:
        """Whether the CPU had an event in the array; it has none now."""
        try:
            self.kernel.lab.call(Command.MAP_DELETE_ELEM, map_fd=self.events.fd, key=struct.pack("=I", cpu))
        except SyscallError:
            return False
        return True


@contextmanager
def running_on(cpu: int) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture
def emit(kernel: Kernel) -> Emitter:
    control = kernel.map(MapType.ARRAY, 1, key_size=4, value_size=8192)
    cpus = kernel.lab.backend.possible_cpus
    events = kernel.map(MapType.PERF_EVENT_ARRAY, cpus, key_size=4, value_size=4)
    program = kernel.program(OUTPUT.format(control=control.fd, events=events.fd))
    return Emitter(kernel, events, control, program)


def padded(length: int) -> int:
    return (length + 4 + 7) // 8 * 8 - 4


LENGTHS = st.sampled_from([8, 60, 60, 60, 64, 4000]) | st.integers(8, 700)
STEPS = st.lists(st.tuples(st.sampled_from(CPUS), LENGTHS, st.integers(1, 9), st.booleans()), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(steps=STEPS)
def test_every_sequence_of_samples_arrives_whole_and_in_the_order_of_its_cpu(
    emit: Emitter, steps: list[tuple[int, int, int, bool]]
) -> None:
    expected: dict[int, list[bytes]] = {cpu: [] for cpu in CPUS}
    seen: dict[int, list[bytes]] = {cpu: [] for cpu in CPUS}

    def drain() -> None:
        for event in consumer.drain():
            seen[struct.unpack_from("=I", event)[0]].append(event)

    with PerfBufferConsumer(emit.events, pages=2) as consumer:
        for number, (cpu, length, repeat, read) in enumerate(steps):
            data = struct.pack("=II", cpu, number).ljust(length, b"%d" % (number % 10))
            expected[cpu] += [data for _ in range(repeat) if emit.output(data, cpu=cpu) == 0]
            if read:
                drain()
        drain()
    for cpu in CPUS:
        assert list(map(len, seen[cpu])) == [padded(len(data)) for data in expected[cpu]]
        assert [event[: len(data)] for event, data in zip(seen[cpu], expected[cpu], strict=True)] == expected[cpu]


def test_event_size_cuts_off_the_padding(emit: Emitter) -> None:
    with PerfBufferConsumer(emit.events, event_size=6) as consumer:
        emit.output(b"123456", repeat=3)
        emit.output(b"1234")
        assert consumer.drain() == [b"123456"] * 3 + [b"1234"]
        assert consumer.bytes == 22


def test_samples_that_found_the_buffer_full_are_counted(emit: Emitter) -> None:
    with PerfBufferConsumer(emit.events, pages=1) as consumer:
        results = [emit.output(bytes(60)) for _ in range(80)]
        delivered = len(consumer.drain())
        assert (delivered, consumer.lost) == (results.count(0), 0)
        emit.output(bytes(60))
        consumer.drain()
        assert consumer.lost == 80 - delivered > 0
        assert consumer.received == delivered + 1


def test_the_policies_hold_for_samples_of_several_cpus(emit: Emitter) -> None:
    dropped: list[bytes] = []
    with PerfBufferConsumer(emit.events, max_pending=3, policy="oldest", on_drop=dropped.append) as consumer:
        for cpu in CPUS:
            emit.output(b"%d..." % cpu, cpu=cpu, repeat=4)
        consumer.pump()
        assert consumer.received == 4 * len(CPUS)
        assert len(dropped) == consumer.dropped == 4 * len(CPUS) - 3
        assert len(consumer.drain()) == 3


@pytest.mark.parametrize("option", [{"wakeup_events": 3}, {"watermark": 200}])
def test_a_waiting_consumer_finds_what_did_not_wake_it(emit: Emitter, option: dict[str, int]) -> None:
    consumer = PerfBufferConsumer(emit.events, event_size=4, **option)  # type: ignore[arg-type]  # int options alone
    with consumer.start():
        emit.output(b"1234")
        assert consumer.get(timeout=30) == b"1234"


def test_a_buffer_is_readable_when_the_watermark_is_reached(emit: Emitter) -> None:
    buffer = PerfBuffer(emit.kernel.lab, emit.events.fd, CPUS[0], PerfSetup(watermark=200))
    with closing(buffer):
        poll = emit.kernel.lab.backend.poll
        emit.output(bytes(60))
        assert poll([buffer.fd], 0) == []
        emit.output(bytes(60), repeat=2)
        assert poll([buffer.fd], 30) == [buffer.fd]


def test_closing_takes_the_events_out_of_the_map_and_leaves_nothing_open(emit: Emitter) -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of descriptors are wanted
    consumer = PerfBufferConsumer(emit.events)
    assert len(os.listdir("/proc/self/fd")) > len(before)  # noqa: PTH208 - as above
    consumer.close()
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
    assert [cpu for cpu in CPUS if emit.take_out(cpu)] == []


def test_an_element_that_somebody_deleted_is_no_error_at_the_close(emit: Emitter) -> None:
    with PerfBufferConsumer(emit.events) as consumer:
        assert [cpu for cpu in CPUS if emit.take_out(cpu)] == CPUS
    assert consumer.closed


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"pages": 3}, "pages is 3; expected a power of two"),
        ({"pages": 0}, "pages is 0"),
        ({"wakeup_events": 0}, "wakeup_events is 0; expected at least 1"),
        ({"watermark": 0}, "watermark is 0"),
        ({"event_size": -1}, "event_size is -1"),
    ],
)
def test_a_wrong_setup_is_refused(emit: Emitter, options: dict[str, int], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        PerfBufferConsumer(emit.events, **options)  # type: ignore[arg-type]  # int options alone
