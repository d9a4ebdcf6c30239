"""A load balancer in the manner of real ones: which server gets a packet, in which outer headers, and why."""

from __future__ import annotations

import ipaddress
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from bpflab import XDP, Lab
from bpflab.objects.loaded import LoadedObject
from bpflab.programs.program import Program
from bpflab.programs.result import RunResult
from bpflab_packets import builders, flows
from bpflab_packets.strategies import packets
from bpflab_packets.template import Template

SOURCE = Path(__file__).parent / "l4lb.bpf.c"
RING_SIZE, MAX_REALS = 251, 64
MAX_FRAME = 1514
VIP, VIP6, OTHER = "198.51.100.10", "2001:db8::10", "198.51.100.99"
OWN_MAC, GATEWAY_MAC = "02:00:00:00:00:aa", "02:00:00:00:00:bb"
TCP_SERVICE, UDP_SERVICE, STICKY, FORGETFUL, EMPTY = 443, 53, 8080, 8081, 9999
SERVICES = {  # (VIP, protocol, port): number, flags
    (VIP, 6, TCP_SERVICE): (0, 0),
    (VIP, 17, UDP_SERVICE): (1, 0),
    (VIP6, 6, TCP_SERVICE): (2, 0),
    (VIP6, 17, UDP_SERVICE): (3, 0),
    (VIP, 6, STICKY): (4, 2),
    (VIP, 6, FORGETFUL): (5, 1),
    (VIP, 6, EMPTY): (6, 0),
    (VIP, 0, 0): (15, 0),
    (VIP6, 0, 0): (15, 0),
}
IPIP, GUE = 0, 1
LINK = Ether(dst=OWN_MAC, src=GATEWAY_MAC)
REALS = {  # number: address, encapsulation
    1: ("10.0.0.1", IPIP),
    2: ("10.0.0.2", IPIP),
    3: ("10.0.0.3", GUE),
    4: ("fd00::4", IPIP),
    5: ("fd00::5", GUE),
}
Run: TypeAlias = Callable[[Packet | bytes], RunResult]


class Outcome(IntEnum):
    """`enum outcome` of l4lb.h."""

    NOT_IP = 0
    NOT_OURS = 1
    MALFORMED = 2
    FRAGMENT = 3
    NO_REAL = 4
    TOO_BIG = 5
    ECHO_ANSWERED = 6
    FORWARDED = 7
    ERROR_FORWARDED = 8


def maglev(reals: Sequence[int], size: int = RING_SIZE) -> list[int]:
    """Fill a table as Maglev does: the servers take turns, each takes the next free place of its own permutation."""
    steps = {real: (random.Random(real).randrange(size), random.Random(-real).randrange(1, size)) for real in reals}
    places = {real: iter([(start + step * at) % size for at in range(size)]) for real, (start, step) in steps.items()}
    table = dict[int, int]()
    while len(table) < size:
        for real in reals:
            place = next((place for place in places[real] if place not in table), None)
            if place is not None:
                table[place] = real
    return [table[place] for place in range(size)]


def address(text: str) -> dict[str, tuple[int, ...]]:
    packed = ipaddress.ip_address(text).packed.ljust(16, b"\0")
    return {"words": tuple(int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, 16, 4))}


def family(text: str) -> int:
    return 2 if ":" in text else 1


def fill_rings(lb: LoadedObject, reals: Sequence[int], vips: Sequence[int] = range(6)) -> None:
    table = maglev(reals)
    lb.maps.rings.update({vip * RING_SIZE + place: real for vip in vips for place, real in enumerate(table)})


def configure(lb: LoadedObject) -> None:
    for (vip, protocol, port), (number, flags) in SERVICES.items():
        key = {"address": address(vip), "port": int.from_bytes(port.to_bytes(2), sys.byteorder)}
        lb.maps.vips[key | {"protocol": protocol, "family": family(vip)}] = {"number": number, "flags": flags}
    for number, (server, encapsulation) in REALS.items():
        lb.maps.reals[number] = {
            "address": address(server),
            "family": family(server),
            "encapsulation": encapsulation,
        }
    lb.maps.config[0] = {
        "own_mac": bytes.fromhex(OWN_MAC.replace(":", "")),
        "gateway_mac": bytes.fromhex(GATEWAY_MAC.replace(":", "")),
        "source_v4": int.from_bytes(ipaddress.ip_address("172.16.0.0").packed, sys.byteorder),
        "source_v6": address("fd00:1::"),
        "max_frame": MAX_FRAME,
    }
    fill_rings(lb, list(REALS))


@pytest.fixture(scope="module")
def shared(bpf_module: Lab) -> LoadedObject:
    lb = bpf_module.load("l4lb.bpf.c")
    configure(lb)
    return lb


@pytest.fixture
def lb(shared: LoadedObject) -> LoadedObject:
    """The load balancer; a fixture of the test, so that each test finds the maps as configured."""
    return shared


@pytest.fixture
def run(lb: LoadedObject) -> Run:
    program: Program = lb.programs.l4lb
    return program.run


def tcp(source_port: int = 1234, flags: str = "S", dst: str = VIP, dport: int = TCP_SERVICE, **ip: Any) -> Packet:
    network = IPv6(dst=dst, src="2001:db8::1", **ip) if ":" in dst else IP(dst=dst, src="192.0.2.1", **ip)
    return LINK / network / TCP(sport=source_port, dport=dport, flags=flags)


def server_of(result: RunResult) -> str:
    outer = Ether(result.data).payload
    return str(outer.dst)


def count(lb: LoadedObject, outcome: Outcome) -> int:
    return int(lb.maps.outcomes[outcome].sum())


many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


# ---- Encapsulation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vip", [VIP, VIP6])
@pytest.mark.parametrize("real", REALS)
def test_the_packet_arrives_at_the_server_unchanged(lb: LoadedObject, run: Run, vip: str, real: int) -> None:
    fill_rings(lb, [real])
    packet = bytes(tcp(dst=vip) / b"hello")
    result = run(packet)
    outer = Ether(result.data)
    assert result.action is XDP.TX
    assert (outer.dst, outer.src, outer.payload.dst) == (GATEWAY_MAC, OWN_MAC, REALS[real][0])
    assert result.data.endswith(packet[14:])


@pytest.mark.parametrize("vip", [VIP, VIP6])
@pytest.mark.parametrize(("real", "layers"), [(1, [IP]), (3, [IP, UDP]), (4, [IPv6]), (5, [IPv6, UDP])])
def test_outer_headers_are_whole(lb: LoadedObject, run: Run, vip: str, real: int, layers: list[type[Packet]]) -> None:
    fill_rings(lb, [real])
    marked: dict[str, Any] = {"tc": 0xB8} if vip == VIP6 else {"tos": 0xB8}
    packet = tcp(dst=vip, **marked)
    outer = Ether(run(packet).data).payload
    protocol = 4 if vip == VIP else 41
    rebuilt = type(outer)(bytes(outer))
    if IP in layers:
        del rebuilt.chksum, rebuilt.len
    else:
        del rebuilt.plen
    assert bytes(rebuilt) == bytes(outer)
    assert (outer.tos if IP in layers else outer.tc) == 0xB8
    if UDP in layers:
        assert (outer[UDP].dport, outer[UDP].chksum, outer[UDP].len) == (6080, 0, len(outer[UDP]))
        assert bytes(outer[UDP].payload)[:4] == bytes([0, protocol, 0, 0])
    else:
        assert (outer.proto if IP in layers else outer.nh) == protocol


@many
@given(data=packets(Template.of(tcp()), {"TCP.flags": 2}, vary=("IP.src", "TCP.sport", "TCP.seq"), payload=40))
def test_flows_differ_in_their_outer_source(lb: LoadedObject, run: Run, data: bytes) -> None:
    fill_rings(lb, [3])
    outer = Ether(run(data).data)
    again = Ether(run(data).data)
    assert outer[UDP].sport == again[UDP].sport >= 0xC000
    assert outer[IP].src.startswith("172.16.")
    assert outer[UDP].sport & 0x3FFF == low_half(outer[IP].src) & 0x3FFF


def low_half(text: str) -> int:
    return int(ipaddress.ip_address(text)) & 0xFFFF


@pytest.mark.parametrize(("real", "overhead"), [(1, 20), (3, 32), (4, 40), (5, 52)])
def test_what_would_not_fit_the_way_is_dropped(lb: LoadedObject, run: Run, real: int, overhead: int) -> None:
    fill_rings(lb, [real])
    fits = bytes(MAX_FRAME - overhead - len(tcp()))
    assert run(tcp() / fits).action is XDP.TX
    assert run(tcp() / fits / b"x").action is XDP.DROP
    assert count(lb, Outcome.TOO_BIG) == 1


# ---- Which server ----------------------------------------------------------------------------------------------------


def test_servers_get_about_equal_shares(lb: LoadedObject) -> None:
    columns = lb.programs.l4lb.run_many(map(bytes, map(tcp, range(1024, 2024))), outputs=True)
    shares = Counter(server_of(row) for row in columns)
    assert set(shares) == {server for server, _ in REALS.values()}
    assert max(shares.values()) < 2 * min(shares.values())


def test_when_a_server_leaves_the_others_keep_nearly_all_of_their_flows(lb: LoadedObject) -> None:
    syns = [bytes(tcp(port)) for port in range(1024, 1324)]
    before = [server_of(row) for row in lb.programs.l4lb.run_many(syns, outputs=True)]
    fill_rings(lb, [1, 2, 4, 5])
    after = [server_of(row) for row in lb.programs.l4lb.run_many(syns, outputs=True)]
    moved = sum(one != other for one, other in zip(before, after, strict=True) if one != "10.0.0.3")
    assert "10.0.0.3" in before
    assert "10.0.0.3" not in after
    assert moved < len(syns) / 5


def test_a_connection_stays_where_it_is_when_the_table_changes(lb: LoadedObject, run: Run) -> None:
    fill_rings(lb, [1])
    run(tcp(7, "S"))
    fill_rings(lb, [2])
    assert server_of(run(tcp(7, "A"))) == "10.0.0.1"
    assert server_of(run(tcp(8, "A"))) == "10.0.0.2"


def test_a_syn_begins_anew(lb: LoadedObject, run: Run) -> None:
    fill_rings(lb, [1])
    run(tcp(7, "S"))
    fill_rings(lb, [2])
    assert server_of(run(tcp(7, "S"))) == server_of(run(tcp(7, "A"))) == "10.0.0.2"


def test_a_connection_moves_when_its_server_is_gone(lb: LoadedObject, run: Run) -> None:
    fill_rings(lb, [1])
    run(tcp(7))
    fill_rings(lb, [2])
    lb.maps.reals[1] = {"family": 0}
    assert server_of(run(tcp(7, "A"))) == "10.0.0.2"


def test_a_service_without_memory_follows_the_table(lb: LoadedObject, run: Run) -> None:
    fill_rings(lb, [1])
    run(tcp(7, "S", dport=FORGETFUL))
    fill_rings(lb, [2])
    assert server_of(run(tcp(7, "A", dport=FORGETFUL))) == "10.0.0.2"
    assert len(lb.maps.connections) == 0


def test_a_sticky_service_has_one_server_for_each_client(lb: LoadedObject) -> None:
    columns = lb.programs.l4lb.run_many([bytes(tcp(port, dport=STICKY)) for port in range(40)], outputs=True)
    assert len({server_of(row) for row in columns}) == 1


@pytest.mark.parametrize("version", [4, 6])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_all_packets_of_a_session_reach_one_server(lb: LoadedObject, version: int, data: st.DataObject) -> None:
    vip, template = (VIP6, builders.tcp6()) if version == 6 else (VIP, builders.tcp())
    port = data.draw(st.integers(1, 0xFFFF))
    client = flows.Peer("2001:db8::7" if version == 6 else "192.0.2.7", port)
    said = [flows.Message(from_client=True, data=b"question"), flows.Message(from_client=True, data=b"more")]
    session = flows.tcp_session(client, flows.Peer(vip, TCP_SERVICE), said, template=template)
    sent = [segment for segment in session if segment.from_client]
    columns = lb.programs.l4lb.run_many(sent, outputs=True)
    assert columns.counts() == {XDP.TX: len(sent)}
    assert len({server_of(row) for row in columns}) == 1


def test_a_service_whose_servers_are_gone_drops(lb: LoadedObject, run: Run) -> None:
    assert run(tcp(dport=EMPTY)).action is XDP.DROP
    assert count(lb, Outcome.NO_REAL) == 1


def test_statistics_count_packets_bytes_and_connections(lb: LoadedObject, run: Run) -> None:
    for flags in ("S", "A", "PA", "FA"):
        run(tcp(7, flags) / b"data")
    statistics = lb.maps.vip_statistics[0]
    assert [statistics.field(name).sum() for name in ("packets", "bytes", "connections", "known")] == [4, 176, 1, 3]


# ---- ICMP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 56])
def test_a_ping_to_a_vip_is_answered(lb: LoadedObject, run: Run, size: int) -> None:
    ping = LINK / IP(src="192.0.2.1", dst=VIP) / ICMP(id=7, seq=9) / bytes(size)
    pong = Ether(dst=GATEWAY_MAC, src=OWN_MAC) / IP(src=VIP, dst="192.0.2.1") / ICMP(type=0, id=7, seq=9) / bytes(size)
    result = run(ping)
    assert (result.action, result.data) == (XDP.TX, bytes(pong))
    assert count(lb, Outcome.ECHO_ANSWERED) == 1


def test_a_ping_over_ipv6_is_answered(run: Run) -> None:
    ping = LINK / IPv6(src="2001:db8::1", dst=VIP6) / ICMPv6EchoRequest(id=7, data=b"x")
    pong = Ether(dst=GATEWAY_MAC, src=OWN_MAC) / IPv6(src=VIP6, dst="2001:db8::1") / ICMPv6EchoReply(id=7, data=b"x")
    assert run(ping).data == bytes(pong)


def test_an_error_about_an_answer_goes_to_the_server_that_sent_it(lb: LoadedObject, run: Run) -> None:
    expected = server_of(run(tcp(7, "S")))
    fill_rings(lb, [2] if expected != "10.0.0.2" else [1])
    result = run(error_about(7))
    assert (result.action, server_of(result)) == (XDP.TX, expected)
    assert count(lb, Outcome.ERROR_FORWARDED) == 1


@pytest.mark.parametrize("error", [ICMPv6PacketTooBig(mtu=1280), ICMPv6DestUnreach(code=3)])
def test_an_error_over_ipv6_goes_to_the_server_too(run: Run, error: Packet) -> None:
    expected = server_of(run(tcp(7, "S", dst=VIP6)))
    answer = IPv6(src=VIP6, dst="2001:db8::1") / TCP(sport=TCP_SERVICE, dport=7)
    result = run(LINK / IPv6(src="2001:db8::ff", dst=VIP6) / error / answer)
    assert server_of(result) == expected


def test_an_error_makes_no_connection(lb: LoadedObject, run: Run) -> None:
    answer = IP(src=VIP, dst="192.0.2.1") / UDP(sport=UDP_SERVICE, dport=7)
    assert run(LINK / IP(src="203.0.113.1", dst=VIP) / ICMP(type=11) / answer).action is XDP.TX
    assert len(lb.maps.connections) == 0


# ---- What is not for us ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "outcome"),
    [
        (LINK / ARP(pdst=VIP), Outcome.NOT_IP),
        (tcp(dst=OTHER), Outcome.NOT_OURS),
        (tcp(dport=1), Outcome.NOT_OURS),
        (LINK / IP(dst=VIP, proto=50) / bytes(20), Outcome.NOT_OURS),
        (LINK / IP(dst=OTHER) / ICMP(), Outcome.NOT_OURS),
    ],
    ids=["arp", "another address", "another port", "another protocol", "another's ping"],
)
def test_what_is_for_others_passes(lb: LoadedObject, run: Run, packet: Packet, outcome: Outcome) -> None:
    result = run(packet)
    assert (result.action, result.data) == (XDP.PASS, bytes(packet))
    assert count(lb, outcome) == 1


def test_fragments_are_dropped(lb: LoadedObject) -> None:
    parts = fragment(IP(dst=VIP) / UDP(dport=UDP_SERVICE) / Raw(bytes(100)), fragsize=64)
    columns = lb.programs.l4lb.run_many([LINK / part for part in parts])
    assert columns.counts() == {XDP.DROP: len(parts)}
    six = LINK / IPv6(dst=VIP6) / IPv6ExtHdrFragment(m=1) / UDP(dport=UDP_SERVICE)
    assert lb.programs.l4lb.run(six).action is XDP.DROP
    assert count(lb, Outcome.FRAGMENT) == len(parts) + 1


# ---- Thousands -------------------------------------------------------------------------------------------------------


def kinds() -> list[tuple[Template, tuple[str, ...] | None]]:
    services = [
        (builders.tcp(), VIP, TCP_SERVICE),
        (builders.tcp6(), VIP6, TCP_SERVICE),
        (builders.udp(), VIP, UDP_SERVICE),
        (builders.udp6(), VIP6, UDP_SERVICE),
        (builders.tcp(), VIP, STICKY),
        (builders.tcp_options(), VIP, FORGETFUL),
        (builders.tcp(), VIP, EMPTY),
    ]
    drawn = [(aimed(template, vip, port), client_fields(template)) for template, vip, port in services]
    pings = [(aimed(builders.icmp(), VIP), ("IP.src", "ICMP.id")), (aimed(builders.icmpv6(), VIP6), ("IPv6.src",))]
    errors = [(Template.of(error_about(port)), ("IP.src", "IP.ttl")) for port in (7, 8, 9)]
    others = [(build(), None) for build in builders.FAMILIES.values()]
    return [*drawn * 3, *pings, *errors, *others]


def error_about(port: int) -> Packet:
    answer = IP(src=VIP, dst="192.0.2.1") / TCP(sport=TCP_SERVICE, dport=port)
    return LINK / IP(src="203.0.113.1", dst=VIP) / ICMP(type=3, code=4) / answer


def aimed(template: Template, vip: str, port: int | None = None) -> Template:
    ip = "IPv6" if ":" in vip else "IP"
    return template.fixed({f"{ip}.dst": vip} | ({} if port is None else {"dport": port}))


def client_fields(template: Template) -> tuple[str, ...]:
    ip, transport = (layer.name for layer in template.layers[1:3])
    fields = {"IP": ("src", "tos", "ttl", "id"), "IPv6": ("src", "tc", "fl", "hlim")}[ip]
    return (*(f"{ip}.{name}" for name in fields), f"{transport}.sport", *(["TCP.flags"] if transport == "TCP" else []))


def prepared(lab: Lab) -> tuple[Program, Callable[[], object]]:
    lb = lab.load(SOURCE)
    configure(lb)

    def left() -> object:
        return (
            dict(lb.maps.connections.items()),
            [values.sum() for values in lb.maps.outcomes.values()],
            [[each.field(name).sum() for name in ("packets", "bytes")] for each in lb.maps.vip_statistics.values()],
        )

    return lb.programs.l4lb, left


def test_thousands_of_packets_come_out_alike(
    same_on_both: Callable[..., None], generated: Callable[..., list[bytes]]
) -> None:
    same_on_both(prepared, generated(kinds()))


def test_generated_packets_meet_every_outcome(lb: LoadedObject, generated: Callable[..., list[bytes]]) -> None:
    lb.programs.l4lb.run_many(generated(kinds(), 600))
    assert [outcome.name for outcome in Outcome if not count(lb, outcome)] == []
