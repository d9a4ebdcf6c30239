"""A firewall that remembers connections, in the manner of real ones: what it lets through, and when it forgets."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from bpflab import TC, Lab
from bpflab.objects.loaded import LoadedObject
from bpflab_packets import builders
from bpflab_packets.flows import Message, Peer, Segment, tcp_session, udp_flow

if TYPE_CHECKING:
    from tests.real.conftest import Generated, Prepared, Same

pytestmark = pytest.mark.bpf(compare=False)  # connections keep the time at which they were last seen
SOURCE = Path(__file__).parent / "conntrack.bpf.c"
INSIDE, OUTSIDE = "10.0.0.1", "192.0.2.1"
TIMEOUTS = [0, 10, 10, 3600, 60, 10, 5]
OPEN = {(6, 80), (17, 53), (1, 0)}


class Outcome(IntEnum):
    """`enum outcome` of conntrack.h."""

    NOT_IP = 0
    MALFORMED = 1
    FRAGMENT = 2
    UNSUPPORTED = 3
    NOT_OPEN = 4
    NO_CONNECTION = 5
    OUT_OF_STATE = 6
    OPENED = 7
    KNOWN = 8
    RELATED = 9


PASSES = {Outcome.NOT_IP, Outcome.OPENED, Outcome.KNOWN, Outcome.RELATED}


def configure(firewall: LoadedObject) -> None:
    firewall.maps.limits[0] = {"seconds": TIMEOUTS}
    for protocol, port in OPEN:
        firewall.maps.services[{"port": socket.htons(port), "protocol": protocol}] = 1


@pytest.fixture(scope="module")
def shared(bpf_module: Lab) -> LoadedObject:
    firewall = bpf_module.load(SOURCE)
    configure(firewall)
    return firewall


@pytest.fixture
def firewall(shared: LoadedObject, bpf_module: Lab) -> LoadedObject:
    del bpf_module  # its maps are as they were, before each test
    return shared


def sent(firewall: LoadedObject, packet: Packet | bytes, *, inside: bool) -> Outcome:
    """Send a packet, and tell what the firewall made of it, by the counter that went up."""
    before = counts(firewall)
    program = firewall.programs.from_inside if inside else firewall.programs.from_outside
    action = program.run(bytes(packet)).action
    (outcome,) = [Outcome(key) for key, count in counts(firewall).items() if count != before[key]]
    assert action is (TC.OK if outcome in PASSES else TC.SHOT)
    return outcome


def counts(firewall: LoadedObject) -> dict[int, int]:
    return {key: sum(values) for key, values in firewall.maps.outcomes.items()}


def play(firewall: LoadedObject, segments: Iterable[Segment], *, client_inside: bool = True) -> list[Outcome]:
    return [sent(firewall, each.data, inside=each.from_client is client_inside) for each in segments]


def session(messages: Sequence[Message] = (), *, port: int = 443, reset: bool = False) -> list[Segment]:
    return list(tcp_session(Peer(INSIDE, 4000, 7), Peer(OUTSIDE, port, 9), messages, reset=reset))


def tcp(flags: str, *, sport: int = 4000, dport: int = 443, src: str = INSIDE, dst: str = OUTSIDE) -> Packet:
    return Ether() / IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags)


def back(flags: str) -> Packet:
    return tcp(flags, sport=443, dport=4000, src=OUTSIDE, dst=INSIDE)


messages = st.lists(st.builds(Message, st.booleans(), st.binary(max_size=40)), max_size=5)
PROPERTY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)


@PROPERTY
@given(messages, st.booleans(), st.booleans())
def test_every_packet_of_a_session_that_the_inside_opens_passes(
    firewall: LoadedObject, said: list[Message], reset: bool, v6: bool
) -> None:
    firewall.maps.connections.clear()
    ends = (Peer("2001:db8::1", 4000), Peer("2001:db8::2", 443)) if v6 else (Peer(INSIDE, 4000), Peer(OUTSIDE, 443))
    template = builders.tcp6() if v6 else builders.tcp()
    outcomes = play(firewall, tcp_session(*ends, said, reset=reset, template=template))
    assert outcomes == [Outcome.OPENED] + [Outcome.KNOWN] * (len(outcomes) - 1)


@PROPERTY
@given(messages)
def test_the_outside_opens_sessions_with_open_services_alone(firewall: LoadedObject, said: list[Message]) -> None:
    firewall.maps.connections.clear()
    assert set(play(firewall, session(said, port=80), client_inside=False)) == {Outcome.OPENED, Outcome.KNOWN}
    firewall.maps.connections.clear()
    refused = {Outcome.NOT_OPEN, Outcome.NO_CONNECTION}
    assert {sent(firewall, each.data, inside=False) for each in session(said) if each.from_client} <= refused


@PROPERTY
@given(messages.filter(bool))
def test_a_connection_counts_what_each_side_sent(firewall: LoadedObject, said: list[Message]) -> None:
    firewall.maps.connections.clear()
    play(firewall, udp_flow(Peer(INSIDE, 4000), Peer(OUTSIDE, 53), [Message(from_client=True, data=b"?"), *said]))
    ((_, connection),) = firewall.maps.connections.items()
    by_opener = 1 + sum(each.from_client for each in said)
    assert list(connection.packets) == [by_opener, len(said) + 1 - by_opener]
    assert connection.bytes[0] == sum(28 + len(each.data) for each in said if each.from_client) + 29


@pytest.mark.parametrize(
    ("sends", "outcome"),
    [
        ([(True, "S"), (False, "SA"), (True, "A")], Outcome.KNOWN),
        ([(True, "S"), (True, "S")], Outcome.KNOWN),
        ([(True, "S"), (True, "A")], Outcome.OUT_OF_STATE),
        ([(True, "S"), (False, "A")], Outcome.OUT_OF_STATE),
        ([(True, "S"), (False, "S")], Outcome.OUT_OF_STATE),
        ([(True, "S"), (False, "SA"), (False, "A")], Outcome.OUT_OF_STATE),
        ([(True, "S"), (False, "R")], Outcome.KNOWN),
        ([(True, "S"), (False, "R"), (False, "SA")], Outcome.OUT_OF_STATE),
        ([(True, "S"), (False, "R"), (True, "S")], Outcome.KNOWN),
        ([(True, "A")], Outcome.NO_CONNECTION),
        ([(True, "SA")], Outcome.NO_CONNECTION),
        ([(True, "SF")], Outcome.NO_CONNECTION),
        ([(False, "SA")], Outcome.NO_CONNECTION),
        ([(False, "S")], Outcome.NOT_OPEN),
    ],
    ids=lambda value: (
        " ".join(f"{'in' if inside else 'out'}:{flags}" for inside, flags in value)
        if isinstance(value, list)
        else value.name
    ),
)
def test_tcp_is_followed_through_its_states(
    firewall: LoadedObject, sends: list[tuple[bool, str]], outcome: Outcome
) -> None:
    *earlier, last = [(inside, tcp(flags) if inside else back(flags)) for inside, flags in sends]
    for inside, packet in earlier:
        sent(firewall, packet, inside=inside)
    assert sent(firewall, last[1], inside=last[0]) is outcome


def test_a_closed_connection_takes_no_more_data(firewall: LoadedObject) -> None:
    play(firewall, session())
    assert sent(firewall, tcp("PA"), inside=True) is Outcome.OUT_OF_STATE


def test_pings_are_answered_by_the_one_that_was_asked(firewall: LoadedObject) -> None:
    link = Ether() / IP(src=INSIDE, dst=OUTSIDE)
    assert sent(firewall, link / ICMP(type=8, id=5), inside=True) is Outcome.OPENED
    answer = Ether() / IP(src=OUTSIDE, dst=INSIDE)
    assert sent(firewall, answer / ICMP(type=0, id=5), inside=False) is Outcome.KNOWN
    assert sent(firewall, answer / ICMP(type=0, id=6), inside=False) is Outcome.NO_CONNECTION


def test_pings_of_ipv6_are_followed_as_well(firewall: LoadedObject) -> None:
    ask, answer = IPv6(src="2001:db8::1", dst="2001:db8::2"), IPv6(src="2001:db8::2", dst="2001:db8::1")
    assert sent(firewall, Ether() / ask / ICMPv6EchoRequest(id=5), inside=True) is Outcome.OPENED
    assert sent(firewall, Ether() / answer / ICMPv6EchoReply(id=5), inside=False) is Outcome.KNOWN


@pytest.mark.parametrize(("known", "outcome"), [(True, Outcome.RELATED), (False, Outcome.NO_CONNECTION)])
def test_an_error_passes_that_quotes_a_known_connection(firewall: LoadedObject, known: bool, outcome: Outcome) -> None:
    quoted = IP(src=INSIDE, dst=OUTSIDE) / UDP(sport=4000, dport=9999) / b"hello"
    if known:
        sent(firewall, Ether() / quoted, inside=True)
    error = Ether() / IP(src="198.51.100.1", dst=INSIDE) / ICMP(type=3, code=3) / bytes(quoted)[:28]
    assert sent(firewall, error, inside=False) is outcome


@pytest.mark.parametrize(
    ("packet", "outcome"),
    [
        (Ether() / ARP(), Outcome.NOT_IP),
        (Ether() / IP(flags="MF") / UDP(), Outcome.FRAGMENT),
        (Ether() / IP(ihl=4, proto=17) / bytes(30), Outcome.MALFORMED),
        (Ether() / IP() / TCP(dataofs=4), Outcome.MALFORMED),
        (Ether() / IP(proto=47) / bytes(20), Outcome.UNSUPPORTED),
        (Ether() / IP() / ICMP(type=13), Outcome.UNSUPPORTED),
    ],
    ids=lambda value: None if isinstance(value, Packet) else value.name,
)
def test_what_cannot_be_followed_is_dropped_unless_it_is_not_ip(
    firewall: LoadedObject, packet: Packet, outcome: Outcome
) -> None:
    assert sent(firewall, packet, inside=True) is outcome


@pytest.mark.bpf(backend="sim")
@pytest.mark.parametrize(("seconds", "outcome"), [(9, Outcome.KNOWN), (11, Outcome.NO_CONNECTION)])
def test_a_connection_that_says_nothing_is_forgotten(bpf: Lab, seconds: int, outcome: Outcome) -> None:
    firewall = bpf.load(SOURCE)
    configure(firewall)
    sent(firewall, tcp("S"), inside=True)
    bpf.clock.advance(seconds=seconds)
    assert sent(firewall, back("SA"), inside=False) is outcome


def test_refusals_are_told_where_that_is_asked_for(bpf: Lab) -> None:
    opened = bpf.open(SOURCE)
    opened.rodata.log_refusals = 1
    firewall = opened.load()
    configure(firewall)
    consumer = firewall.maps.refusals.consumer()
    sent(firewall, back("S"), inside=False)
    (refusal,) = consumer.drain()
    assert len(refusal) == 48
    assert int.from_bytes(refusal[40:44], sys.byteorder) == Outcome.NOT_OPEN


KINDS = [
    (builders.tcp(), ["IP.src", "IP.dst", "sport", "dport", "TCP.flags"]),
    (builders.tcp6(), None),
    (builders.udp(), ["IP.src", "IP.dst", "sport", "dport"]),
    (builders.icmp(), None),
    (builders.icmpv6(), None),
    (builders.ipv4_fragment(), None),
]


@pytest.mark.parametrize("program", ["from_inside", "from_outside"])
def test_both_kernels_judge_thousands_of_packets_alike(same_on_both: Same, generated: Generated, program: str) -> None:
    def prepare(lab: Lab) -> Prepared:
        firewall = lab.load(SOURCE)
        configure(firewall)
        return firewall.programs[program], lambda: counts(firewall)

    same_on_both(prepare, generated(KINDS, tc=True))
