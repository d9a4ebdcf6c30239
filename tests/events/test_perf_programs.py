"""The perf buffer of a kernel, running or simulated: what programs write is what the consumer delivers."""

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

from bpflab.errors import ArgumentError
from bpflab.events import PerfBufferConsumer
from bpflab.events.perf_event import PerfBuffer, PerfSetup
from bpflab.maps.indexed import PerfEventArray
from bpflab.sim.backend import SimBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.backend.base import Backend
    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.programs.program import Program

HELPERS = ("perf_event_output",)
PACKET = bytes(64)
CONTROL_SIZE = 8192

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

    lab: Lab
    events: PerfEventArray
    control: Map[int, bytes]
    program: Program

    def output(self, data: bytes, *, cpu: int = 0, repeat: int = 1) -> int:
        self.control[0] = (struct.pack("=Q", len(data)) + data).ljust(CONTROL_SIZE, b"\0")
        with running_on(self.lab.backend, cpu):
            return self.program.run(PACKET, repeat=repeat).retval

    @property
    def cpus(self) -> list[int]:
        """Those that a test may run on."""
        simulated = isinstance(self.lab.backend, SimBackend)
        return list(range(self.lab.backend.possible_cpus)) if simulated else sorted(os.sched_getaffinity(0))


@contextmanager
def running_on(backend: Backend, cpu: int) -> Iterator[None]:
    if isinstance(backend, SimBackend):
        backend.kernel.cpu = cpu
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture
def emit(lab: Lab) -> Emitter:
    control = lab.map("array", value=CONTROL_SIZE, max_entries=1)
    events = lab.map("perf_event_array", max_entries=lab.backend.possible_cpus)
    assert isinstance(events, PerfEventArray)
    program = lab.program(OUTPUT.format(control=control.fileno(), events=events.fileno()))
    return Emitter(lab, events, control, program)


def padded(length: int) -> int:
    return (length + 4 + 7) // 8 * 8 - 4


LENGTHS = st.sampled_from([8, 60, 60, 60, 64, 4000]) | st.integers(8, 700)
STEPS = st.lists(st.tuples(st.integers(0, 7), LENGTHS, st.integers(1, 9), st.booleans()), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(steps=STEPS)
def test_every_sequence_of_samples_arrives_whole_and_in_the_order_of_its_cpu(
    emit: Emitter, steps: list[tuple[int, int, int, bool]]
) -> None:
    expected: dict[int, list[bytes]] = {cpu: [] for cpu in emit.cpus}
    seen: dict[int, list[bytes]] = {cpu: [] for cpu in emit.cpus}

    def drain() -> None:
        for event in consumer.drain():
            seen[struct.unpack_from("=I", event)[0]].append(event)

    with PerfBufferConsumer(emit.events, pages=2) as consumer:
        for number, (which, length, repeat, read) in enumerate(steps):
            cpu = emit.cpus[which % len(emit.cpus)]
            data = struct.pack("=II", cpu, number).ljust(length, b"%d" % (number % 10))
            expected[cpu] += [data for _ in range(repeat) if emit.output(data, cpu=cpu) == 0]
            if read:
                drain()
        drain()
    for cpu in emit.cpus:
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
        for cpu in emit.cpus:
            emit.output(b"%d..." % cpu, cpu=cpu, repeat=4)
        consumer.pump()
        assert consumer.received == 4 * len(emit.cpus)
        assert len(dropped) == consumer.dropped == 4 * len(emit.cpus) - 3
        assert len(consumer.drain()) == 3


@pytest.mark.parametrize("option", [{"wakeup_events": 3}, {"watermark": 200}])
def test_a_waiting_consumer_finds_what_did_not_wake_it(emit: Emitter, option: dict[str, int]) -> None:
    consumer = PerfBufferConsumer(emit.events, event_size=4, **option)  # type: ignore[arg-type]  # int options alone
    with consumer.start():
        emit.output(b"1234")
        assert consumer.get(timeout=30) == b"1234"


def test_a_buffer_is_readable_when_the_watermark_is_reached(emit: Emitter) -> None:
    buffer = PerfBuffer(emit.lab, emit.events.fileno(), 0, PerfSetup(watermark=200))
    with closing(buffer):
        poll = emit.lab.backend.poll
        emit.output(bytes(60))
        assert poll([buffer.fd], 0) == []
        emit.output(bytes(60), repeat=2)
        assert poll([buffer.fd], 30) == [buffer.fd]


def test_closing_takes_the_events_out_of_the_map_and_leaves_nothing_open(
    emit: Emitter, open_things: Callable[[Lab], int]
) -> None:
    before = open_things(emit.lab)
    consumer = PerfBufferConsumer(emit.events)
    assert open_things(emit.lab) > before
    consumer.close()
    assert open_things(emit.lab) == before
    assert [cpu for cpu in emit.cpus if emit.events.delete(cpu)] == []


def test_an_element_that_somebody_deleted_is_no_error_at_the_close(emit: Emitter) -> None:
    with PerfBufferConsumer(emit.events) as consumer:
        assert [cpu for cpu in emit.cpus if emit.events.delete(cpu)] == emit.cpus
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
