"""A tracer of TCP latencies in the manner of real ones, driven by probes and tracepoints that the test fires."""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.architectures import current
from bpflab.contexts import PtRegs
from bpflab.objects.loaded import LoadedObject
from bpflab.sim.structs import KernelStruct

SOURCE = Path(__file__).parent / "tcp_latency.bpf.c"
ESTABLISHED, SYN_SENT, CLOSE = 1, 2, 7
SLOTS = 24
RECORD = struct.Struct("<QQIIHHHH16s16s")
pytestmark = [
    pytest.mark.usefixtures("kernel_types"),
    pytest.mark.skipif(current().name == "armhf", reason="32 bits hold no address of the simulated kernel"),
]


class Kind(IntEnum):
    """`enum kind` of tcp_latency.bpf.c."""

    IN_TIME = 0
    LATE = 1
    FAILED = 2
    CLOSED = 3


@dataclass(frozen=True)
class Seen:
    """A record of the tracer."""

    kind: Kind
    nanoseconds: int
    pid: int
    comm: str
    where: str
    port: int


class Tracer:
    """The tracer on a simulated kernel, and the life of connections there."""

    def __init__(self, lab: Lab, loaded: LoadedObject) -> None:
        self.lab = lab
        self.loaded = loaded
        self.records = loaded.maps.records.consumer()

    def socket(self, where: str = "192.0.2.1", port: int = 443) -> KernelStruct:
        address = ipaddress.ip_address(where)
        common: dict[str, object] = {
            "skc_dport": socket.htons(port),
            "skc_num": 40000,
            "skc_family": 2 if address.version == 4 else 10,
        }
        if address.version == 4:
            common["skc_daddr"] = int.from_bytes(address.packed, sys.byteorder)
        else:
            common["skc_v6_daddr"] = {"in6_u": {"u6_addr8": address.packed}}
        return self.lab.world.struct("sock", __sk_common=common)

    def connect(self, sk: KernelStruct, *, result: int = 0, version: int = 4) -> None:
        programs = self.loaded.programs
        programs[f"enter_v{version}"].run(ctx=PtRegs.call([sk]))
        programs[f"leave_v{version}"].run(ctx=PtRegs.call(ret=result))

    def change(self, sk: KernelStruct, before: int, after: int) -> None:
        self.loaded.programs.change.run(args=[sk, before, after])

    def wait(self, nanoseconds: int) -> None:
        self.lab.clock.advance(nanoseconds=nanoseconds)

    def seen(self) -> list[Seen]:
        return [_seen(bytes(each)) for each in self.records.drain()]


def _seen(raw: bytes) -> Seen:
    _, nanoseconds, kind, pid, family, _, port, _, where, comm = RECORD.unpack(raw)
    packed = where if family == 10 else where[:4]
    return Seen(
        Kind(kind), nanoseconds, pid, comm.partition(b"\0")[0].decode(), str(ipaddress.ip_address(packed)), port
    )


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


@pytest.fixture
def tracer(lab: Lab) -> Tracer:
    lab.world.current = lab.world.task(pid=77, tgid=70, comm="curl", uid=1000)
    return Tracer(lab, lab.load(SOURCE))


def test_a_connection_is_told_when_it_is_established(tracer: Tracer) -> None:
    sk = tracer.socket()
    tracer.connect(sk)
    tracer.wait(5_000_000)
    tracer.change(sk, SYN_SENT, ESTABLISHED)
    assert tracer.seen() == [Seen(Kind.IN_TIME, 5_000_000, 70, "curl", "192.0.2.1", 443)]


def test_connections_over_ipv6_are_told_as_well(tracer: Tracer) -> None:
    sk = tracer.socket("2001:db8::7", 80)
    tracer.connect(sk, version=6)
    tracer.change(sk, SYN_SENT, ESTABLISHED)
    assert [(each.where, each.port) for each in tracer.seen()] == [("2001:db8::7", 80)]


def test_an_answer_after_the_limit_is_late(tracer: Tracer) -> None:
    sk = tracer.socket()
    tracer.connect(sk)
    tracer.wait(100_000_001)
    tracer.change(sk, SYN_SENT, ESTABLISHED)
    assert tracer.seen()[0].kind is Kind.LATE


def test_a_connect_that_fails_is_told_and_forgotten(tracer: Tracer) -> None:
    sk = tracer.socket()
    tracer.connect(sk, result=-111)
    tracer.change(sk, SYN_SENT, ESTABLISHED)
    assert [each.kind for each in tracer.seen()] == [Kind.FAILED]
    assert len(tracer.loaded.maps.pending) == 0


def test_a_closed_connection_tells_how_long_it_lived(tracer: Tracer) -> None:
    sk = tracer.socket()
    tracer.connect(sk)
    tracer.change(sk, SYN_SENT, ESTABLISHED)
    tracer.wait(7_000_000_000)
    tracer.change(sk, ESTABLISHED, CLOSE)
    assert [(each.kind, each.nanoseconds) for each in tracer.seen()] == [(Kind.IN_TIME, 0), (Kind.CLOSED, 7 * 10**9)]


def test_states_of_sockets_that_nobody_connected_are_not_told(tracer: Tracer) -> None:
    sk = tracer.socket()
    tracer.change(sk, SYN_SENT, ESTABLISHED)
    tracer.change(sk, ESTABLISHED, CLOSE)
    assert tracer.seen() == []


def test_two_connections_at_once_are_kept_apart(tracer: Tracer) -> None:
    first, second = tracer.socket(port=1), tracer.socket(port=2)
    tracer.connect(first)
    tracer.wait(1000)
    tracer.connect(second)
    tracer.wait(1000)
    tracer.change(second, SYN_SENT, ESTABLISHED)
    tracer.change(first, SYN_SENT, ESTABLISHED)
    assert [(each.port, each.nanoseconds) for each in tracer.seen()] == [(2, 1000), (1, 2000)]


@pytest.mark.parametrize(("pid", "told"), [(70, 1), (71, 0)])
def test_one_process_alone_is_watched_where_that_is_asked_for(lab: Lab, pid: int, told: int) -> None:
    opened = lab.open(SOURCE)
    opened.rodata.only_pid = 70
    tracer = Tracer(lab, opened.load())
    lab.world.current = lab.world.task(pid=pid, tgid=pid, comm="curl")
    sk = tracer.socket()
    tracer.connect(sk)
    tracer.change(sk, SYN_SENT, ESTABLISHED)
    assert len(tracer.seen()) == told


@settings(max_examples=12)
@given(st.lists(st.integers(0, 1 << 36), min_size=1, max_size=5))
def test_latencies_are_counted_in_powers_of_two_of_a_microsecond(latencies: list[int]) -> None:
    with Lab("sim") as lab:
        lab.world.current = lab.world.task(pid=70, comm="curl")
        tracer = Tracer(lab, lab.load(SOURCE, programs=["enter_v4", "leave_v4", "change"]))
        for latency in latencies:
            sk = tracer.socket(port=8080)
            tracer.connect(sk)
            tracer.wait(latency)
            tracer.change(sk, SYN_SENT, ESTABLISHED)
        histogram = tracer.loaded.maps.histograms[8080]
        slots = [min((latency // 1000).bit_length(), SLOTS - 1) for latency in latencies]
        assert list(histogram.slots) == [slots.count(slot) for slot in range(SLOTS)]
        assert (histogram.count, histogram.nanoseconds) == (len(latencies), sum(latencies))


def test_records_that_do_not_fit_are_counted(lab: Lab) -> None:
    opened = lab.open(SOURCE)
    opened.maps.records.max_entries = 4096
    tracer = Tracer(lab, opened.load())
    sk = tracer.socket()
    for _ in range(80):
        tracer.connect(sk, result=-1)
    told = len(tracer.seen())
    assert 0 < told == 80 - tracer.loaded.bss.lost < 80
