"""A packet sampler in the manner of real ones: which packets are taken, what is told of them, and what gets lost."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Packet

from bpflab import XDP, Lab, XdpMd
from bpflab.objects.loaded import LoadedObject
from bpflab.programs.program import Program
from bpflab_packets import builders, flows
from bpflab_packets.strategies import any_packets
from bpflab_packets.template import Template

SOURCE = Path(__file__).parent / "sampler.bpf.c"
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
RING, PERF = 1, 2
MOST = 256
HEAD = struct.Struct("=QQIIIIIIIBB2s")
META = struct.Struct("=HHI")
MAGIC = 0x5A4D
RING_BYTES = 1 << 16
AT_ONCE = 150
"""As many packets as the buffers hold the samples of."""

pytestmark = pytest.mark.bpf(compare=False)  # the map that samples are put together in keeps time and CPU


class Loss(IntEnum):
    """`enum loss` of sampler.h."""

    RING_FULL = 0
    PERF_REFUSED = 1
    NOT_CAPTURED = 2
    NO_ROOM_FOR_META = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """What is told of a packet (`struct sample`), but for the time and the CPU; and its first bytes."""

    number: int
    interface: int
    queue: int
    hash: int
    length: int
    captured: int
    mark: int
    protocol: int
    version: int
    port: int
    data: bytes


def read(event: bytes) -> Sample:
    _time, number, _cpu, *fields, port = HEAD.unpack_from(event)
    captured = fields[4]
    told = (number, *fields, int.from_bytes(port), event[HEAD.size : HEAD.size + captured])
    return Sample(*told)


def rule(sampler: LoadedObject, protocol: int = 0, port: int = 0, **values: int) -> None:
    key = {"port": int.from_bytes(port.to_bytes(2), sys.byteorder), "protocol": protocol}
    sampler.maps.rules[key] = {"every": 1, "capture": 64, "destinations": RING} | values


@pytest.fixture(scope="module")
def shared(bpf_module: Lab) -> LoadedObject:
    return bpf_module.load("sampler.bpf.c")


@pytest.fixture
def sampler(shared: LoadedObject) -> LoadedObject:
    return shared


@dataclass(frozen=True, slots=True)
class Readers:
    """What was sampled since the last call, by way."""

    ring: Callable[[], list[Sample]]
    perf: Callable[[], list[Sample]]


@pytest.fixture
def readers(sampler: LoadedObject) -> Iterator[Readers]:
    with sampler.maps.ring.consumer() as ring, sampler.maps.perf.consumer() as perf:
        yield Readers(lambda: list(map(read, ring.drain())), lambda: list(map(read, perf.drain())))


def send(sampler: LoadedObject, *packets: Packet | bytes) -> None:
    columns = sampler.programs.sampler.run_many(packets)
    assert columns.counts() == {XDP.PASS: len(packets)}


def tcp(port: int = 80, **fields: int) -> Packet:
    return LINK / IP(src="192.0.2.1", dst="192.0.2.2") / TCP(**{"sport": 1000, "dport": port} | fields)


def lost(sampler: LoadedObject, loss: Loss) -> int:
    return int(sampler.maps.losses[loss].sum())


many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


# ---- What is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capture", [0, 1, 14, 64, 255, 256, 257, 5000])
@pytest.mark.parametrize("size", [54, 64, 256, 257, 1400])
def test_at_most_so_many_bytes_are_captured(sampler: LoadedObject, readers: Readers, capture: int, size: int) -> None:
    rule(sampler, capture=capture, destinations=RING | PERF)
    packet = bytes(tcp() / (bytes(range(256)) * 6))[:size]
    send(sampler, packet)
    [by_ring], [by_perf] = readers.ring(), readers.perf()
    assert by_ring == by_perf
    assert (by_ring.length, by_ring.data) == (size, packet[: min(capture, MOST)])


@many
@given(data=any_packets())
def test_ring_and_perf_buffer_tell_the_same_of_any_packet(sampler: LoadedObject, readers: Readers, data: bytes) -> None:
    rule(sampler, capture=MOST, destinations=RING | PERF)
    send(sampler, data)
    by_ring, by_perf = readers.ring(), readers.perf()
    assert by_ring == by_perf
    assert [each.data for each in by_ring] == [data[:MOST]]


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        (tcp(443), (4, 6, 443)),
        (LINK / IPv6() / UDP(dport=53), (6, 17, 53)),
        (LINK / Dot1Q(vlan=7) / IP(dst="192.0.2.2") / UDP(dport=53), (4, 17, 53)),
        (LINK / Dot1AD(vlan=8) / Dot1Q(vlan=7) / IP(dst="192.0.2.2") / UDP(dport=53), (4, 17, 53)),
        (LINK / IP(dst="192.0.2.2", frag=7, proto=17) / bytes(8), (4, 17, 0)),
        (builders.arp().data, (0, 0, 0)),
        (builders.icmp().data, (4, 1, 0)),
        (bytes(tcp())[:36], (4, 6, 0)),
    ],
)
def test_what_is_told_of_the_headers(
    sampler: LoadedObject, readers: Readers, packet: Packet | bytes, told: tuple[int, ...]
) -> None:
    rule(sampler)
    send(sampler, packet)
    [sample] = readers.ring()
    assert (sample.version, sample.protocol, sample.port) == told


def test_the_interface_and_the_queue_are_told(sampler: LoadedObject, readers: Readers) -> None:
    rule(sampler)
    sampler.programs.sampler.run(tcp(), XdpMd(ingress_ifindex=1, rx_queue_index=0))
    [sample] = readers.ring()
    assert (sample.interface, sample.queue) == (1, 0)


@pytest.mark.bpf(backend="sim")
def test_any_interface_and_queue_of_the_world_is_told(bpf: Lab) -> None:
    sampler = bpf.load(SOURCE)
    rule(sampler)
    uplink = bpf.world.add_interface("uplink", rx_queues=4)
    bpf.clock.advance(seconds=1)
    bpf.cpu = 1
    with sampler.maps.ring.consumer() as ring:
        sampler.programs.sampler.run(tcp(), XdpMd(ingress_ifindex=uplink.ifindex, rx_queue_index=3))
        [event] = ring.drain()
    time, _number, cpu, interface, queue = HEAD.unpack_from(event)[:5]
    assert (time, cpu, interface, queue) == (2_000_000_000, 1, uplink.ifindex, 3)


@pytest.mark.parametrize("version", [4, 6])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(data=st.data())
def test_a_flow_has_one_hash_in_both_directions(
    sampler: LoadedObject, readers: Readers, version: int, data: st.DataObject
) -> None:
    rule(sampler)
    ports = data.draw(st.tuples(st.integers(1, 0xFFFF), st.integers(1, 0xFFFF)))
    ends = ("2001:db8::1", "2001:db8::2") if version == 6 else ("192.0.2.1", "192.0.2.2")
    client, server = (flows.Peer(end, port) for end, port in zip(ends, ports, strict=True))
    session = list(flows.tcp_session(client, server, template=builders.tcp6() if version == 6 else builders.tcp()))
    send(sampler, *map(bytes, session))
    assert len({sample.hash for sample in readers.ring()}) == 1


# ---- Which packets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 2, 3, 10])
def test_one_of_every_so_many_is_taken(sampler: LoadedObject, readers: Readers, every: int) -> None:
    rule(sampler, every=every)
    sampler.programs.sampler.run(tcp(), repeat=40)  # one run of the kernel stays on its CPU
    assert [sample.number for sample in readers.ring()] == list(range(0, 40, every))


def test_a_rule_of_zero_takes_none(sampler: LoadedObject, readers: Readers) -> None:
    rule(sampler, every=0)
    send(sampler, tcp(), tcp())
    assert readers.ring() == []


def test_without_a_rule_nothing_is_taken(sampler: LoadedObject, readers: Readers) -> None:
    send(sampler, tcp())
    assert (readers.ring(), len(sampler.maps.states)) == ([], 0)


def test_the_rule_of_the_port_goes_before_that_of_the_protocol_and_that_of_all(
    sampler: LoadedObject, readers: Readers
) -> None:
    rule(sampler, capture=1)
    rule(sampler, protocol=6, capture=2)
    rule(sampler, protocol=6, port=80, capture=3)
    send(sampler, LINK / IP(dst="192.0.2.2") / UDP(dport=80), tcp(81), tcp(80))
    assert [sample.captured for sample in readers.ring()] == [1, 2, 3]


def test_by_flow_all_packets_of_a_flow_are_taken_or_none(sampler: LoadedObject, readers: Readers) -> None:
    rule(sampler, every=4, by_flow=1)
    template = builders.tcp()
    send(sampler, *(template.patch(sport=port, seq=seq) for port in range(1000, 1200) for seq in range(3)))
    taken = [sample.data[34:36] for sample in readers.ring()]
    assert {taken.count(port) for port in taken} == {3}
    assert 20 < len(set(taken)) < 90


def test_what_was_seen_and_taken_is_counted(sampler: LoadedObject) -> None:
    rule(sampler, every=1, capture=10)
    send(sampler, tcp(), tcp())
    [state] = sampler.maps.states.values()
    assert [state.field(name).sum() for name in ("seen", "taken", "bytes")] == [2, 2, 20]


# ---- Metadata --------------------------------------------------------------------------------------------------------


def test_a_sampled_packet_says_so_to_programs_behind(sampler: LoadedObject) -> None:
    rule(sampler)
    result = sampler.programs.sampler.run(tcp(), XdpMd())
    assert isinstance(result.ctx, XdpMd)
    assert result.ctx.data == META.size
    assert result.data == META.pack(MAGIC, 1, 0) + bytes(tcp())


def test_a_packet_that_is_not_sampled_stays_as_it_was(sampler: LoadedObject) -> None:
    rule(sampler, every=0)
    assert sampler.programs.sampler.run(tcp()).data == bytes(tcp())


@many
@given(mark=st.integers(0, 2**32 - 1))
def test_the_mark_of_a_program_before_is_told_and_kept(sampler: LoadedObject, readers: Readers, mark: int) -> None:
    rule(sampler)
    result = sampler.programs.sampler.run(META.pack(MAGIC, 0, mark) + bytes(tcp()), XdpMd(data=META.size))
    [sample] = readers.ring()
    assert (sample.mark, sample.data, sample.length) == (mark, bytes(tcp())[:64], len(tcp()))
    assert result.data == META.pack(MAGIC, 1, mark) + bytes(tcp())


def test_metadata_of_others_are_left_alone(sampler: LoadedObject, readers: Readers) -> None:
    rule(sampler)
    result = sampler.programs.sampler.run(b"\xff" * 8 + bytes(tcp()), XdpMd(data=8))
    assert [sample.mark for sample in readers.ring()] == [0]
    assert result.data == META.pack(MAGIC, 1, 0) + b"\xff" * 8 + bytes(tcp())


def test_where_metadata_has_no_room_the_sample_is_still_told(sampler: LoadedObject, readers: Readers) -> None:
    rule(sampler)
    result = sampler.programs.sampler.run(bytes(216) + bytes(tcp()), XdpMd(data=216))
    assert (len(readers.ring()), lost(sampler, Loss.NO_ROOM_FOR_META)) == (1, 1)
    assert result.data == bytes(216) + bytes(tcp())


def test_no_metadata_are_left_where_nobody_wants_them(bpf: Lab) -> None:
    sampler = bpf.load("sampler.bpf.c", rodata={"mark_packets": 0})
    rule(sampler)
    assert sampler.programs.sampler.run(tcp()).data == bytes(tcp())


# ---- What gets lost --------------------------------------------------------------------------------------------------


def test_a_full_ring_is_counted(sampler: LoadedObject, readers: Readers) -> None:
    rule(sampler, capture=MOST)
    packet = tcp() / bytes(300)
    fits = RING_BYTES // (8 + HEAD.size + MOST)
    send(sampler, *[packet] * (fits + 5))
    assert lost(sampler, Loss.RING_FULL) == fits + 5 - len(readers.ring()) > 0
    send(sampler, packet)
    assert len(readers.ring()) == 1


def test_a_perf_buffer_that_nobody_reads_is_counted(sampler: LoadedObject) -> None:
    rule(sampler, destinations=PERF)
    send(sampler, tcp(), tcp())
    assert lost(sampler, Loss.PERF_REFUSED) == 2


def test_a_full_perf_buffer_is_counted(sampler: LoadedObject) -> None:
    rule(sampler, capture=MOST, destinations=PERF)
    with sampler.maps.perf.consumer(pages=1) as perf:
        send(sampler, *[tcp() / bytes(300)] * 200)
        taken = len(perf.drain())
        assert 0 < taken == 200 - lost(sampler, Loss.PERF_REFUSED) < 200


# ---- Thousands -------------------------------------------------------------------------------------------------------


def kinds() -> list[tuple[Template, tuple[str, ...] | None]]:
    long = builders.tcp().fixed({}, payload=bytes(range(256)) * 4)
    return [(long, ("IP.src", "TCP.sport")), *((build(), None) for build in builders.FAMILIES.values())]


@pytest.mark.parametrize(("every", "by_flow"), [(1, 0), (3, 1)])
def test_thousands_of_samples_are_told_alike(
    same_on_both: Callable[..., None], generated: Callable[..., list[bytes]], every: int, by_flow: int
) -> None:
    same_on_both(lambda lab: prepared(lab, every, by_flow), generated(kinds()), at_once=AT_ONCE)


def prepared(lab: Lab, every: int, by_flow: int) -> tuple[Program, Callable[[], object]]:
    sampler = lab.load(SOURCE)
    rule(sampler, every=every, by_flow=by_flow, capture=200, destinations=RING | PERF)
    rule(sampler, protocol=17, every=every, by_flow=by_flow, capture=MOST, destinations=PERF)
    ring, perf = sampler.maps.ring.consumer(), sampler.maps.perf.consumer()

    def left() -> object:
        told = sorted(map(read, perf.drain()), key=lambda sample: (sample.data, sample.number))
        return (
            [plain(sample) for sample in map(read, ring.drain())],
            [plain(sample) for sample in told],
            [values.sum() for values in sampler.maps.losses.values()],
            {str(key): values.field("bytes").sum() for key, values in sampler.maps.states.items()},
        )

    return sampler.programs.sampler, left


def plain(sample: Sample) -> tuple[object, ...]:
    """Leave out the number: the kernel may go on with another CPU between two packets."""
    return sample.hash, sample.length, sample.mark, sample.protocol, sample.version, sample.port, sample.data
