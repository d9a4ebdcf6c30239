"""The user ring buffer: a program of the running kernel drains what Python writes, and echoes it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bpflab.abi.btf import FuncLinkage, IntEncoding
from bpflab.abi.commands import Command
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import ArgumentError, ClosedError, MapFullError
from bpflab.events import RingBufferConsumer, UserRingProducer
from bpflab.maps.rings import RingBuf, UserRingBuf
from bpflab.obj import btf_types as btf
from bpflab.obj.btf_encode import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.events.user_ringbuf import Reservation
    from bpflab.lab import Lab
    from bpflab.programs.program import Program

SIZE = 4096
HELPERS = ("user_ringbuf_drain", "dynptr_read", "ringbuf_output")
PACKET = bytes(64)

# Every record begins with its own length as u16. What is drained goes through `scratch` into `echo`.
ECHO = """
    r1 = map[fd:{ring}]
    r2 = subprog[each]
    r3 = 0
    r4 = 0
    call bpf_user_ringbuf_drain
    exit
each:
    r6 = r1
    *(u64 *)(r10 - 8) = 0
    r1 = r10
    r1 += -8
    r2 = 2
    r3 = r6
    r4 = 0
    r5 = 0
    call bpf_dynptr_read
    r7 = *(u16 *)(r10 - 8)
    r7 &= 4095
    r1 = map[fd:{scratch}][0]+0
    r2 = r7
    r3 = r6
    r4 = 0
    r5 = 0
    call bpf_dynptr_read
    r1 = map[fd:{echo}]
    r2 = map[fd:{scratch}][0]+0
    r3 = r7
    r4 = 0
    call bpf_ringbuf_output
    r0 = 0
    exit
"""
EACH = 6 + 2  # the place of `each`, in slots: two of the six instructions before it take two


@dataclass(frozen=True)
class Rig:
    """A user ring buffer, the program that drains it, and the ring buffer that the program echoes to."""

    lab: Lab
    ring: UserRingBuf
    echo: RingBuf
    program: Program


@pytest.fixture
def rig(lab: Lab) -> Rig:
    ring = lab.map("user_ringbuf", max_entries=SIZE, name="inbox")
    echo = lab.map("ringbuf", max_entries=4 * SIZE)
    scratch = lab.map("array", value=SIZE, max_entries=1)
    assert isinstance(ring, UserRingBuf)
    assert isinstance(echo, RingBuf)
    text = ECHO.format(ring=ring.fileno(), echo=echo.fileno(), scratch=scratch.fileno())
    types = encode(
        [
            btf.Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED),
            btf.FuncProto(return_id=1),
            btf.Func(name="main", type_id=2, linkage=FuncLinkage.GLOBAL),
            btf.Func(name="each", type_id=2, linkage=FuncLinkage.STATIC),
        ],
        lab.backend.byteorder,
    )
    loaded = lab.call(Command.BTF_LOAD, btf=types, btf_size=len(types))
    btf_fd = lab.own(Descriptor(lab.backend, loaded.result, "The BTF of a test")).fileno()
    functions = struct.pack("=4I", 0, 3, EACH, 4)
    program = lab.program(
        text, type="xdp", prog_btf_fd=btf_fd, func_info=functions, func_info_cnt=2, func_info_rec_size=8
    )
    return Rig(lab, ring, echo, program)


@dataclass
class Record:
    """What a reservation shall hold, and what became of it."""

    data: bytes
    state: str = "busy"
    reservation: Reservation | None = None

    @property
    def stride(self) -> int:
        return 8 + (len(self.data) + 7) // 8 * 8

    def finish(self, *, keep: bool) -> None:
        assert self.reservation is not None
        self.reservation.data[:] = self.data
        self.state = "submitted" if keep else "discarded"
        if keep:
            self.reservation.submit()
        else:
            self.reservation.discard()


LENGTHS = st.integers(2, 700) | st.sampled_from([2, 8, 9, 64, SIZE - 8])


class UserRingMachine(RuleBasedStateMachine):
    """Records are a list; a run takes the finished ones before the first that is still reserved."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.run_program = rig.program.run
        self.producer = UserRingProducer(rig.ring)
        self.consumer = RingBufferConsumer(rig.echo)
        self.records: list[Record] = []

    @rule(length=LENGTHS, number=st.integers(0, 999))
    def reserve(self, length: int, number: int) -> None:
        free = SIZE - sum(record.stride for record in self.records)
        record = Record(struct.pack("=H", length) + (b"%d," % number * length)[: length - 2])
        if record.stride > free:
            with pytest.raises(MapFullError, match=f"{free} of {SIZE} bytes are free"):
                self.producer.reserve(length)
            return
        record.reservation = self.producer.reserve(length)
        self.records.append(record)

    @precondition(lambda self: any(record.state == "busy" for record in self.records))
    @rule(which=st.integers(0, 50), keep=st.booleans())
    def finish(self, which: int, keep: bool) -> None:
        busy = [record for record in self.records if record.state == "busy"]
        busy[which % len(busy)].finish(keep=keep)

    @rule()
    def run(self) -> None:
        self.run_program(PACKET)
        done = list(takewhile(lambda record: record.state != "busy", self.records))
        self.records = self.records[len(done) :]
        assert self.consumer.drain() == [record.data for record in done if record.state == "submitted"]

    @invariant()
    def the_lag_is_what_the_program_has_not_drained(self) -> None:
        assert self.producer.lag == sum(record.stride for record in self.records)

    def teardown(self) -> None:
        for record in self.records:
            if record.state == "busy":
                record.finish(keep=False)
        self.run_program(PACKET)
        self.consumer.drain()
        self.producer.close()
        self.consumer.close()


def test_a_program_drains_what_was_submitted_in_the_order_of_reservation(rig: Rig) -> None:
    run_state_machine_as_test(
        lambda: UserRingMachine(rig),  # type: ignore[arg-type]  # any factory will do
        settings=settings(max_examples=50, stateful_step_count=40, deadline=None),
    )


def with_length(data: bytes) -> bytes:
    return struct.pack("=H", 2 + len(data)) + data


def test_submit_writes_a_whole_record(rig: Rig) -> None:
    with UserRingProducer(rig.ring) as producer, RingBufferConsumer(rig.echo) as echo:
        producer.submit(with_length(b"ab"))
        assert rig.program.run(PACKET).retval == 1
        assert echo.drain() == [with_length(b"ab")]


def test_an_error_while_a_record_is_filled_discards_it(rig: Rig) -> None:
    with UserRingProducer(rig.ring) as producer, RingBufferConsumer(rig.echo) as echo:
        with pytest.raises(ValueError, match="different structures"), producer.reserve(4) as room:
            room[:] = b"too long"
        producer.submit(with_length(b"a"))
        rig.program.run(PACKET)
        assert echo.drain() == [with_length(b"a")]


def test_a_record_is_finished_once(rig: Rig) -> None:
    with UserRingProducer(rig.ring) as producer:
        reservation = producer.reserve(8)
        reservation.submit()
        with pytest.raises(ArgumentError, match="submitted or discarded before"):
            reservation.discard()


@pytest.mark.parametrize("length", [-1, SIZE - 7, SIZE, 1 << 40])
def test_a_record_that_can_never_fit_is_refused(rig: Rig, length: int) -> None:
    with UserRingProducer(rig.ring) as producer:
        with pytest.raises(
            ArgumentError, match=f"A record of {length} bytes does not fit .*; expected 0 to {SIZE - 8}"
        ):
            producer.reserve(length)
        producer.reserve(SIZE - 8).discard()


def test_a_closed_producer_says_so_and_leaves_nothing_open(rig: Rig, open_things: Callable[[Lab], int]) -> None:
    before = open_things(rig.lab)
    with UserRingProducer(rig.ring) as producer:
        reservation = producer.reserve(8)
        assert open_things(rig.lab) > before
    producer.close()
    assert open_things(rig.lab) == before
    assert (producer.closed, producer.lag) == (True, 0)
    for use in (reservation.submit, producer.__enter__, lambda: producer.reserve(1)):
        with pytest.raises(ClosedError, match="the producer of map 'inbox' is closed"):
            use()
