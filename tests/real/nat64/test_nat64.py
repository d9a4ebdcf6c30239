"""A translator between IPv6 and IPv4 in the manner of real ones; scapy builds the translated packet anew."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, fragment
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from bpflab import TC, Lab
from bpflab.objects.loaded import LoadedObject
from bpflab.programs.program import Program
from bpflab_packets import builders
from bpflab_packets.strategies import Wanted, packets
from bpflab_packets.template import Template

SOURCE = Path(__file__).parent / "nat64.bpf.c"
HOST, OTHER_HOST, STATIC_HOST = "2001:db8::1", "2001:db8::2", "2001:db8::53"
PEER, OTHER_PEER, POOL, STATIC = "192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.53"
FIRST, PORTS = 10_000, 16
PREFIX = "64:ff9b::"
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
Fixture: TypeAlias = LoadedObject


class Outcome(IntEnum):
    """`enum outcome` of nat64.h."""

    NOT_OURS = 0
    MALFORMED = 1
    FRAGMENT = 2
    EXPIRED = 3
    UNSUPPORTED = 4
    NO_BINDING = 5
    EXHAUSTED = 6
    TOO_BIG = 7
    FAILED = 8
    TRANSLATED = 9


def word(text: str) -> int:
    return int.from_bytes(ipaddress.IPv4Address(text).packed, sys.byteorder)


def words(text: str) -> dict[str, tuple[int, ...]]:
    packed = ipaddress.IPv6Address(text).packed
    return {"words": tuple(int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, 16, 4))}


def configure(nat: LoadedObject, ports: int = PORTS) -> None:
    nat.maps.pools[0] = {"address": word(POOL), "first": FIRST, "ports": ports}
    nat.maps.static_v6[words(STATIC_HOST)] = word(STATIC)
    nat.maps.static_v4[word(STATIC)] = words(STATIC_HOST)


@pytest.fixture(scope="module")
def shared(bpf_module: Lab) -> LoadedObject:
    nat = bpf_module.load("nat64.bpf.c")
    configure(nat)
    return nat


@pytest.fixture
def nat(shared: LoadedObject) -> LoadedObject:
    return shared


def count(nat: LoadedObject, outcome: Outcome) -> int:
    return int(nat.maps.outcomes[outcome].sum())


def six(payload: Packet, dst: str = PREFIX + PEER, **fields: Any) -> Packet:
    return LINK / IPv6(**{"src": HOST, "dst": dst, **fields}) / payload


def four(payload: Packet, dst: str = POOL, **fields: Any) -> Packet:
    return LINK / IP(**{"src": PEER, "dst": dst, "id": 0, **fields}) / payload


def mapped(address: str) -> str:
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(PREFIX)) + int(ipaddress.IPv4Address(address))))


def outbound(nat: LoadedObject, packet: Packet | bytes, outcome: Outcome = Outcome.TRANSLATED) -> Packet:
    return through(nat, nat.programs.nat64, packet, outcome)


def inbound(nat: LoadedObject, packet: Packet | bytes, outcome: Outcome = Outcome.TRANSLATED) -> Packet:
    return through(nat, nat.programs.nat46, packet, outcome)


def through(nat: LoadedObject, program: Program, packet: Packet | bytes, outcome: Outcome) -> Packet:
    """Run a packet, which must have the outcome, and return what came out."""
    before = count(nat, outcome)
    result = program.run(packet)
    assert count(nat, outcome) == before + 1
    assert result.action is (TC.OK if outcome in {Outcome.TRANSLATED, Outcome.NOT_OURS} else TC.SHOT)
    return Ether(result.data)


def port_of(packet: Packet) -> int:
    return int(packet[ICMP].id if ICMP in packet else packet.payload.payload.sport)


many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
sizes = pytest.mark.parametrize("size", [0, 1, 8, 57])


# ---- Translated ------------------------------------------------------------------------------------------------------

TRANSPORTS = {
    "tcp": (TCP(sport=1000, dport=80, flags="S", seq=7), TCP(sport=FIRST, dport=80, flags="S", seq=7)),
    "udp": (UDP(sport=1000, dport=53), UDP(sport=FIRST, dport=53)),
    "echo request": (ICMPv6EchoRequest(id=1000, seq=3), ICMP(type=8, id=FIRST, seq=3)),
    "echo reply": (ICMPv6EchoReply(id=1000, seq=3), ICMP(type=0, id=FIRST, seq=3)),
}


@sizes
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_packet_to_the_prefix_leaves_as_ipv4_from_the_pool(nat: Fixture, transport: str, size: int) -> None:
    inside, outside = TRANSPORTS[transport]
    sent = outbound(nat, six(inside / Raw(b"\xa5" * size), hlim=64))
    assert bytes(sent) == bytes(four(outside / Raw(b"\xa5" * size), PEER, src=POOL, ttl=63))


@sizes
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_answer_comes_back_as_ipv6(nat: Fixture, transport: str, size: int) -> None:
    inside, outside = TRANSPORTS[transport]
    outbound(nat, six(inside))
    answer = {
        "tcp": (TCP(sport=80, dport=FIRST, flags="SA"), TCP(sport=80, dport=1000, flags="SA")),
        "udp": (UDP(sport=53, dport=FIRST), UDP(sport=53, dport=1000)),
    }.get(transport, (outside, inside))
    came = inbound(nat, four(answer[0] / Raw(b"\xa5" * size), ttl=9))
    assert bytes(came) == bytes(six(answer[1] / Raw(b"\xa5" * size), HOST, src=mapped(PEER), hlim=8))


@pytest.mark.parametrize("kind", ["tcp6", "udp6", "icmpv6"])
@many
@given(data=st.data())
def test_checksums_stay_right_whatever_the_packet(nat: Fixture, kind: str, data: st.DataObject) -> None:
    host = st.integers(1, 2**128 - 1).map(lambda number: str(ipaddress.IPv6Address(number)))
    peer = st.integers(1, 2**32 - 1).map(lambda number: mapped(str(ipaddress.IPv4Address(number))))
    fields: Wanted = {"IPv6.src": host, "IPv6.dst": peer, "IPv6.hlim": st.integers(2, 255)}
    drawn = data.draw(packets(kind, fields, payload=100))
    nat.maps.bindings.clear()
    nat.maps.backs.clear()
    sent = outbound(nat, drawn)
    assert bytes(rebuilt(sent)) == bytes(sent)
    assert sent[IP].dst == str(ipaddress.IPv4Address(int(ipaddress.IPv6Address(Ether(drawn)[IPv6].dst)) & 0xFFFFFFFF))


def rebuilt(packet: Packet) -> Packet:
    """Return the packet with lengths and checksums made anew."""
    again = packet.copy()
    for layer in (IP, TCP, UDP, ICMP):
        for name in ("len", "chksum") if layer in again else ():
            if name in again[layer].fields:
                delattr(again[layer], name)
    return again


@many
@given(payload=st.binary(min_size=2, max_size=2))
@example(payload=b"\x00\x00")
@example(payload=b"\xff\xff")
def test_a_checksum_of_udp_that_comes_out_as_zero_is_written_as_ones(nat: Fixture, payload: bytes) -> None:
    plain = Ether(bytes(four(UDP(sport=FIRST, dport=53) / payload, PEER, src=POOL)))
    fitting = (int.from_bytes(payload) + plain[UDP].chksum) % 0xFFFF
    sent = outbound(nat, six(UDP(sport=1000, dport=53) / fitting.to_bytes(2)))
    assert sent[UDP].chksum == 0xFFFF


@pytest.mark.parametrize(("size", "flag"), [(1280 - 60, 0), (1280 - 59, "DF")])
def test_what_fits_every_path_of_ipv6_may_be_fragmented(nat: Fixture, size: int, flag: object) -> None:
    sent = outbound(nat, six(TCP(sport=1000) / Raw(bytes(size))))
    assert sent[IP].flags == flag


@many
@given(tos=st.integers(0, 255), label=st.integers(0, 0xFFFFF))
def test_the_traffic_class_goes_along(nat: Fixture, tos: int, label: int) -> None:
    assert outbound(nat, six(UDP(sport=1000), tc=tos, fl=label))[IP].tos == tos
    came = inbound(nat, four(UDP(dport=FIRST), tos=tos))
    assert (came[IPv6].tc, came[IPv6].fl) == (tos, 0)


# ---- Bindings --------------------------------------------------------------------------------------------------------


def test_a_port_has_one_binding_for_all_its_peers(nat: Fixture) -> None:
    ports = {port_of(outbound(nat, six(UDP(sport=1000), mapped(peer)))) for peer in (PEER, OTHER_PEER)}
    assert ports == {FIRST}
    assert [binding.sent for binding in nat.maps.bindings.values()] == [2]


def test_hosts_ports_and_protocols_are_told_apart(nat: Fixture) -> None:
    sent = [
        six(UDP(sport=1000)),
        six(UDP(sport=1001)),
        six(UDP(sport=1000), src=OTHER_HOST),
        six(TCP(sport=1000)),
        six(ICMPv6EchoRequest(id=1000)),
    ]
    assert [port_of(outbound(nat, packet)) for packet in sent] == [FIRST + at for at in range(5)]


def test_any_peer_may_answer_a_binding(nat: Fixture) -> None:
    outbound(nat, six(UDP(sport=1000)))
    assert inbound(nat, four(UDP(dport=FIRST), src=OTHER_PEER))[IPv6].src == mapped(OTHER_PEER)
    assert [back.received for back in nat.maps.backs.values()] == [1]


def test_what_nobody_asked_for_is_dropped(nat: Fixture) -> None:
    outbound(nat, six(UDP(sport=1000)))
    inbound(nat, four(UDP(dport=FIRST + 1)), Outcome.NO_BINDING)
    inbound(nat, four(TCP(dport=FIRST)), Outcome.NO_BINDING)


def test_when_no_port_is_left_packets_are_dropped(nat: Fixture) -> None:
    for port in range(PORTS):
        outbound(nat, six(UDP(sport=1000 + port)))
    outbound(nat, six(UDP(sport=5)), Outcome.EXHAUSTED)
    outbound(nat, six(UDP(sport=1000)))


def test_a_port_that_was_given_back_is_found_again(nat: Fixture) -> None:
    for port in range(PORTS):
        outbound(nat, six(UDP(sport=1000 + port)))
    del nat.maps.backs[{"address": word(POOL), "port": swapped(FIRST + 7), "protocol": 17}]
    assert port_of(outbound(nat, six(UDP(sport=5)))) == FIRST + 7


def swapped(port: int) -> int:
    return int.from_bytes(port.to_bytes(2), sys.byteorder)


def test_a_host_with_an_address_of_its_own_keeps_its_ports(nat: Fixture) -> None:
    sent = outbound(nat, six(UDP(sport=53), src=STATIC_HOST))
    came = inbound(nat, four(UDP(dport=53), STATIC))
    assert (sent[IP].src, sent[UDP].sport) == (STATIC, 53)
    assert (came[IPv6].dst, came[UDP].dport) == (STATIC_HOST, 53)
    assert len(nat.maps.bindings) == 0


def test_another_prefix_is_set_before_the_load(bpf: Lab) -> None:
    own = ipaddress.IPv6Address("2001:db8:64::").packed[:12]
    nat = bpf.load("nat64.bpf.c", rodata={"prefix": own})
    configure(nat)
    outbound(nat, six(UDP()), Outcome.NOT_OURS)
    assert outbound(nat, six(UDP(), "2001:db8:64::c000:201"))[IP].dst == "192.0.2.1"


# ---- Refused ---------------------------------------------------------------------------------------------------------

SHORT = bytes(six(TCP()))[: 14 + 40 + 19]
REFUSED_6 = {
    "fragment": (six(IPv6ExtHdrFragment(m=1) / UDP()), Outcome.FRAGMENT),
    "hop limit 1": (six(UDP(), hlim=1), Outcome.EXPIRED),
    "hop limit 0": (six(UDP(), hlim=0), Outcome.EXPIRED),
    "extension header": (six(IPv6ExtHdrHopByHop() / UDP()), Outcome.UNSUPPORTED),
    "neighbour solicitation": (six(ICMPv6ND_NS(tgt=HOST)), Outcome.UNSUPPORTED),
    "ICMP of IPv4": (six(ICMP(), nh=1), Outcome.UNSUPPORTED),
    "no checksum": (six(UDP(chksum=0)), Outcome.UNSUPPORTED),
    "length of UDP": (six(UDP(len=9)), Outcome.MALFORMED),
    "length of IPv6": (six(UDP(), plen=9), Outcome.MALFORMED),
    "cut short": (SHORT, Outcome.MALFORMED),
    "TCP offset": (six(TCP(dataofs=4)), Outcome.MALFORMED),
    "another destination": (six(UDP(), OTHER_HOST), Outcome.NOT_OURS),
    "IPv4": (four(UDP()), Outcome.NOT_OURS),
    "ARP": (LINK / ARP(), Outcome.NOT_OURS),
}
REFUSED_4 = {
    "first fragment": (four(UDP(), flags="MF"), Outcome.FRAGMENT),
    "later fragment": (four(UDP(), frag=1), Outcome.FRAGMENT),
    "TTL 1": (four(UDP(), ttl=1), Outcome.EXPIRED),
    "TTL 0": (four(UDP(), ttl=0), Outcome.EXPIRED),
    "options": (four(UDP(), options=[IPOption_NOP()]), Outcome.UNSUPPORTED),
    "unreachable": (four(ICMP(type=3)), Outcome.UNSUPPORTED),
    "ESP": (four(Raw(bytes(20)), proto=50), Outcome.UNSUPPORTED),
    "no checksum": (four(UDP(chksum=0)), Outcome.UNSUPPORTED),
    "header length": (four(UDP(), ihl=4), Outcome.MALFORMED),
    "length of IPv4": (four(UDP(), len=200), Outcome.MALFORMED),
    "another destination": (four(UDP(), OTHER_PEER), Outcome.NOT_OURS),
    "IPv6": (six(UDP()), Outcome.NOT_OURS),
}


@pytest.mark.parametrize("what", REFUSED_6)
def test_what_is_not_translated_to_ipv4(nat: Fixture, what: str) -> None:
    packet, outcome = REFUSED_6[what]
    assert bytes(outbound(nat, packet, outcome)) == bytes(packet)
    assert len(nat.maps.bindings) == 0


@pytest.mark.parametrize("what", REFUSED_4)
def test_what_is_not_translated_to_ipv6(nat: Fixture, what: str) -> None:
    packet, outcome = REFUSED_4[what]
    assert bytes(inbound(nat, packet, outcome)) == bytes(packet)


def test_all_parts_of_a_fragmented_datagram_are_refused(nat: Fixture) -> None:
    for part in fragment(IP(src=PEER, dst=POOL) / UDP() / Raw(bytes(100)), fragsize=40):
        inbound(nat, LINK / part, Outcome.FRAGMENT)


def test_what_would_not_fit_the_other_side_is_dropped(nat: Fixture) -> None:
    outbound(nat, six(UDP(sport=1000)))
    fits = 1500 - 40 - 8
    inbound(nat, four(UDP(dport=FIRST) / Raw(bytes(fits))))
    inbound(nat, four(UDP(dport=FIRST) / Raw(bytes(fits + 1))), Outcome.TOO_BIG)


# ---- Thousands -------------------------------------------------------------------------------------------------------


def outbound_kinds() -> list[tuple[Template, tuple[str, ...] | None]]:
    toward = {"IPv6.dst": mapped(PEER)}
    tcp, udp, ping = (builders.FAMILIES[name]().fixed(toward) for name in ("tcp6", "udp6", "icmpv6"))
    near = ("IPv6.hlim", "IPv6.tc", "IPv6.fl")
    kinds: list[tuple[Template, tuple[str, ...] | None]] = [
        (tcp, (*near, "TCP.flags", "TCP.seq")),
        (tcp, ("IPv6.src", "TCP.sport")),
        (udp, near),
        (udp, ("IPv6.src", "UDP.sport")),
        (ping, (*near, "ICMPv6EchoRequest.seq")),
        (Template.of(six(IPv6ExtHdrFragment(m=1) / UDP())), near),
    ]
    return kinds * 2 + [(build(), None) for build in builders.FAMILIES.values()]


def inbound_kinds() -> list[tuple[Template, tuple[str, ...] | None]]:
    near = ("IP.ttl", "IP.tos", "IP.id", "IP.src")
    kinds: list[tuple[Template, tuple[str, ...] | None]] = []
    for port in range(FIRST, FIRST + 4):
        kinds += [
            (builders.tcp().fixed({"IP.dst": POOL, "dport": port}), (*near, "TCP.flags")),
            (builders.udp().fixed({"IP.dst": POOL, "dport": port}), near),
            (builders.icmp().fixed({"IP.dst": POOL, "ICMP.id": port}), near),
            (builders.udp().fixed({"IP.dst": STATIC, "dport": port}), near),
        ]
    kinds += [(builders.FAMILIES[name]().fixed({"IP.dst": POOL}), near) for name in ("sctp", "ipv4_options", "gre")]
    kinds.append((builders.udp().fixed({"IP.dst": POOL, "ttl": 1}), ("IP.src",)))
    return kinds + [(build(), None) for build in builders.FAMILIES.values()]


def left_in(nat: LoadedObject) -> Callable[[], object]:
    return lambda: (
        dict(nat.maps.bindings.items()),
        dict(nat.maps.backs.items()),
        nat.maps.pools[0],
        [values.sum() for values in nat.maps.outcomes.values()],
    )


def prepared(lab: Lab, direction: str) -> tuple[Program, Callable[[], object]]:
    nat = lab.load(SOURCE)
    configure(nat, ports=2000)
    for packet in (TCP(sport=1), UDP(sport=1), ICMPv6EchoRequest(id=1), TCP(sport=2)):
        outbound(nat, six(packet))
    program: Program = nat.programs[direction]
    return program, left_in(nat)


@pytest.mark.parametrize(("direction", "kinds"), [("nat64", outbound_kinds), ("nat46", inbound_kinds)])
def test_thousands_of_packets_come_out_alike(
    same_on_both: Callable[..., None], generated: Callable[..., list[bytes]], direction: str, kinds: Callable[[], Any]
) -> None:
    same_on_both(lambda lab: prepared(lab, direction), generated(kinds(), tc=True))


def test_generated_packets_meet_every_outcome(nat: Fixture, generated: Callable[..., list[bytes]]) -> None:
    configure(nat, ports=4)
    nat.programs.nat64.run_many(generated(outbound_kinds(), 1500, tc=True))
    nat.programs.nat46.run_many(generated(inbound_kinds(), 1500, tc=True))
    assert [outcome.name for outcome in Outcome if not count(nat, outcome)] == ["FAILED"]
