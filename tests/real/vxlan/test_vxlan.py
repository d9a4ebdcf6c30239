"""A VXLAN gateway in the manner of real ones: into the tunnel, out of it, and what it need not carry."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from bpflab import TC, Lab, SkBuff
from bpflab.objects.loaded import LoadedObject
from bpflab.programs.program import Program
from bpflab.sim.events import Clone
from bpflab_packets import builders
from bpflab_packets.strategies import any_packets
from bpflab_packets.template import Template

SOURCE = Path(__file__).parent / "vxlan.bpf.c"
LOCAL, REMOTE, OTHER_REMOTE, STRANGER = "192.0.2.10", "192.0.2.20", "192.0.2.30", "192.0.2.66"
LOCAL_MAC, NEXT_MAC = "02:00:00:00:00:aa", "02:00:00:00:00:bb"
HERE, THERE, ELSEWHERE, NOWHERE = (f"02:00:00:00:01:0{digit}" for digit in "1234")
BROADCAST = "ff:ff:ff:ff:ff:ff"
NETWORKS = {0: 5000, 7: 7007, 8: 0xABCDEF, 9: 9}
"""The network of each VLAN; that of VLAN 9 has nobody to flood to."""
TAGS = {b"\x81\x00", b"\x88\xa8"}
OUTER = 50
MTU = 1500


class Outcome(IntEnum):
    """`enum outcome` of vxlan.h."""

    NOT_OURS = 0
    MALFORMED = 1
    TOO_BIG = 2
    UNKNOWN_NETWORK = 3
    UNKNOWN_PEER = 4
    PINNED = 5
    NOWHERE = 6
    FAILED = 7
    ARP_ANSWERED = 8
    SENT = 9
    FLOODED = 10
    RECEIVED = 11


VERDICTS = {
    Outcome.NOT_OURS: TC.OK,
    Outcome.SENT: TC.REDIRECT,
    Outcome.RECEIVED: TC.REDIRECT,
    Outcome.ARP_ANSWERED: TC.REDIRECT,
}


def word(text: str) -> int:
    return int.from_bytes(ipaddress.IPv4Address(text).packed, sys.byteorder)


def octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def station(network: int, mac: str) -> dict[str, object]:
    return {"network": network, "mac": octets(mac)}


def load(lab: Lab, source: str | Path = "vxlan.bpf.c", **rodata: int | bytes) -> LoadedObject:
    constants: dict[str, int | bytes] = {
        "local": word(LOCAL),
        "local_mac": octets(LOCAL_MAC),
        "next_mac": octets(NEXT_MAC),
    }
    gateway = lab.load(source, rodata=constants | rodata)
    for vlan, network in NETWORKS.items():
        gateway.maps.network_of_vlan[vlan] = network
        gateway.maps.vlan_of_network[network] = vlan
        gateway.maps.traffic[network] = [{}] * lab.backend.possible_cpus
        gateway.maps.fdb[station(network, THERE)] = {"address": word(REMOTE)}
        if network != 9:
            gateway.maps.flood[network] = flood_list(REMOTE, OTHER_REMOTE)
    gateway.maps.peers.update({word(REMOTE): 1, word(OTHER_REMOTE): 1})
    gateway.maps.neighbours[{"network": 5000, "address": word("10.0.0.2")}] = {"mac": octets(THERE)}
    return gateway


def flood_list(*addresses: str) -> dict[str, object]:
    return {"count": len(addresses), "addresses": [word(address) for address in addresses] + [0] * (8 - len(addresses))}


@pytest.fixture(scope="module")
def shared(bpf_module: Lab) -> LoadedObject:
    return load(bpf_module)


@pytest.fixture
def gateway(shared: LoadedObject) -> LoadedObject:
    return shared


def count(gateway: LoadedObject, outcome: Outcome) -> int:
    return int(gateway.maps.outcomes[outcome].sum())


def through(gateway: LoadedObject, program: Program, packet: Packet | bytes, outcome: Outcome) -> bytes:
    before = count(gateway, outcome)
    result = program.run(packet)
    assert count(gateway, outcome) == before + 1
    assert result.action is VERDICTS.get(outcome, TC.SHOT)
    return result.data


def into(gateway: LoadedObject, packet: Packet | bytes, outcome: Outcome = Outcome.SENT) -> bytes:
    return through(gateway, gateway.programs.encapsulate, packet, outcome)


def out_of(gateway: LoadedObject, packet: Packet | bytes, outcome: Outcome = Outcome.RECEIVED) -> bytes:
    return through(gateway, gateway.programs.decapsulate, packet, outcome)


def frame(dst: str = THERE, src: str = HERE, payload: Packet | None = None, vlan: int = 0) -> Packet:
    link = Ether(src=src, dst=dst) / Dot1Q(vlan=vlan) if vlan else Ether(src=src, dst=dst)
    return link / (payload or IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / b"data")


def tunnelled(inner: Packet, network: int = 5000, src: str = REMOTE, vxlan: Packet | None = None, **ip: Any) -> Packet:
    header = vxlan or VXLAN(flags="Instance", vni=network)
    return Ether(dst=LOCAL_MAC) / IP(**{"src": src, "dst": LOCAL, **ip}) / UDP(dport=4789, chksum=0) / header / inner


many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


# ---- Into the tunnel -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vlan", [0, 7, 8])
def test_a_frame_for_a_known_station_goes_to_its_gateway(gateway: LoadedObject, vlan: int) -> None:
    sent = Ether(into(gateway, frame(vlan=vlan)))
    assert (sent.src, sent.dst, sent[IP].src, sent[IP].dst) == (LOCAL_MAC, NEXT_MAC, LOCAL, REMOTE)
    assert (sent[UDP].dport, sent[UDP].chksum, sent[VXLAN].vni) == (4789, 0, NETWORKS[vlan])
    assert bytes(sent[VXLAN].payload) == bytes(frame())


@many
@given(data=any_packets())
def test_outer_headers_are_whole_whatever_the_frame(gateway: LoadedObject, data: bytes) -> None:
    untagged = octets(THERE) + octets(HERE) + data[12:]
    if data[12:14] in TAGS:
        return
    sent = into(gateway, untagged)
    again = Ether(sent)
    del again[IP].len, again[IP].chksum, again[UDP].len
    assert bytes(again) == sent
    assert sent[OUTER:] == untagged


@many
@given(tos=st.integers(0, 255))
def test_the_class_of_the_packet_is_that_of_the_tunnel_packet(gateway: LoadedObject, tos: int) -> None:
    four, six = IP(tos=tos, dst="10.0.0.2") / UDP(), IPv6(tc=tos) / UDP()
    assert {Ether(into(gateway, frame(payload=each)))[IP].tos for each in (four, six)} == {tos}


@many
@given(src=st.binary(min_size=5, max_size=5), dst=st.binary(min_size=4, max_size=4))
def test_a_flow_keeps_its_source_port(gateway: LoadedObject, src: bytes, dst: bytes) -> None:
    gateway.maps.fdb[{"network": 5000, "mac": b"\x02\x01" + dst}] = {"address": word(REMOTE)}
    link = b"\x02\x01" + dst + b"\x02" + src
    ports = {Ether(into(gateway, link + bytes(IP() / payload)))[UDP].sport for payload in (UDP(), Raw(b"x"))}
    assert len(ports) == 1
    assert min(ports) >= 0xC000


@pytest.mark.parametrize("vlan", [0, 7])
def test_a_frame_that_would_not_fit_is_dropped(gateway: LoadedObject, vlan: int) -> None:
    fits = MTU - (OUTER - 14) - len(frame())
    into(gateway, frame(vlan=vlan) / Raw(bytes(fits)))
    into(gateway, frame(vlan=vlan) / Raw(bytes(fits + 1)), Outcome.TOO_BIG)


@pytest.mark.parametrize("destination", [BROADCAST, "01:00:5e:00:00:01", NOWHERE])
def test_what_is_for_all_or_for_an_unknown_station_is_flooded(gateway: LoadedObject, destination: str) -> None:
    last = Ether(into(gateway, frame(destination), Outcome.FLOODED))
    assert last[IP].dst == OTHER_REMOTE
    assert bytes(last[VXLAN].payload) == bytes(frame(destination))


@pytest.mark.bpf(backend="sim")
@pytest.mark.parametrize("remotes", [[REMOTE], [REMOTE, OTHER_REMOTE], [f"192.0.2.{last}" for last in range(8)]])
def test_each_gateway_of_the_network_gets_a_copy(
    gateway: LoadedObject, bpf_module: Lab, remotes: Sequence[str]
) -> None:
    gateway.maps.flood[5000] = flood_list(*remotes)
    into(gateway, frame(BROADCAST), Outcome.FLOODED)
    copies = [Ether(event.packet) for event in bpf_module.world.seen(Clone)]
    assert [copy[IP].dst for copy in copies] == remotes
    assert {bytes(copy[VXLAN].payload) for copy in copies} == {bytes(frame(BROADCAST))}


def test_the_tag_of_a_flooded_frame_is_gone(gateway: LoadedObject) -> None:
    sent = into(gateway, frame(BROADCAST, vlan=7), Outcome.FLOODED)
    assert sent[OUTER:] == bytes(frame(BROADCAST))


REFUSED = {
    "unknown VLAN": (frame(vlan=99), Outcome.UNKNOWN_NETWORK),
    "nobody to flood to": (frame(BROADCAST, vlan=9), Outcome.NOWHERE),
    "two tags": (Ether(dst=THERE, src=HERE) / Dot1AD(vlan=1) / Dot1Q(vlan=7) / IP(), Outcome.MALFORMED),
    "sender is a group": (frame(src=BROADCAST), Outcome.MALFORMED),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_enter_the_tunnel(gateway: LoadedObject, what: str) -> None:
    packet, outcome = REFUSED[what]
    into(gateway, packet, outcome)


# ---- ARP -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vlan", [0, 7])
def test_a_request_for_a_known_station_is_answered_from_here(gateway: LoadedObject, vlan: int) -> None:
    gateway.maps.neighbours[{"network": 7007, "address": word("10.0.0.2")}] = {"mac": octets(THERE)}
    asked = ARP(op=1, hwsrc=HERE, psrc="10.0.0.1", pdst="10.0.0.2")
    told = ARP(op=2, hwsrc=THERE, psrc="10.0.0.2", hwdst=HERE, pdst="10.0.0.1")
    answer = into(gateway, frame(BROADCAST, payload=asked, vlan=vlan), Outcome.ARP_ANSWERED)
    assert answer == bytes(frame(HERE, THERE, told, vlan))


UNSUPPRESSED = {
    "unknown address": ARP(op=1, hwsrc=HERE, psrc="10.0.0.1", pdst="10.0.0.77"),
    "reply": ARP(op=2, hwsrc=HERE, psrc="10.0.0.1", pdst="10.0.0.2"),
    "announcement": ARP(op=1, hwsrc=HERE, psrc="10.0.0.2", pdst="10.0.0.2"),
    "probe": ARP(op=1, hwsrc=HERE, psrc="0.0.0.0", pdst="10.0.0.2"),
    "other hardware": ARP(op=1, hwtype=6, hwsrc=HERE, psrc="10.0.0.1", pdst="10.0.0.2"),
}


@pytest.mark.parametrize("what", UNSUPPRESSED)
def test_other_arp_crosses_the_tunnel(gateway: LoadedObject, what: str) -> None:
    into(gateway, frame(BROADCAST, payload=UNSUPPRESSED[what]), Outcome.FLOODED)


def test_stations_of_other_networks_are_not_told(gateway: LoadedObject) -> None:
    asked = ARP(op=1, hwsrc=HERE, psrc="10.0.0.1", pdst="10.0.0.2")
    into(gateway, frame(BROADCAST, payload=asked, vlan=8), Outcome.FLOODED)


# ---- Out of the tunnel -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vlan", [0, 7, 8])
def test_a_frame_comes_out_as_it_went_in(gateway: LoadedObject, vlan: int) -> None:
    inner = frame(HERE, THERE)
    result = gateway.programs.decapsulate.run(tunnelled(inner, NETWORKS[vlan]), SkBuff())
    assert (result.action, result.data) == (TC.REDIRECT, bytes(inner))
    assert isinstance(result.ctx, SkBuff)
    assert result.ctx.cb == (vlan, 0, 0, 0, 0)


@many
@given(data=any_packets())
def test_any_frame_goes_through_both_gateways(gateway: LoadedObject, data: bytes) -> None:
    inner = (octets(THERE) + octets(HERE) + data[12:]).ljust(60, b"\0")
    if data[12:14] in TAGS:
        return
    gateway.maps.fdb[station(5000, THERE)] = {"address": word(LOCAL)}
    gateway.maps.peers[word(LOCAL)] = 1
    gateway.maps.fdb.delete(station(5000, HERE))
    assert out_of(gateway, into(gateway, inner)) == inner


def test_padding_of_the_link_is_cut_off(gateway: LoadedObject) -> None:
    inner = frame(HERE, ELSEWHERE, Raw(bytes(20)))
    assert out_of(gateway, tunnelled(inner)) == bytes(inner)
    assert out_of(gateway, bytes(tunnelled(inner)) + b"padding") == bytes(inner)


def test_a_sender_is_learned_and_may_move(gateway: LoadedObject) -> None:
    for remote in (REMOTE, OTHER_REMOTE):
        out_of(gateway, tunnelled(frame(HERE, ELSEWHERE), src=remote))
        assert Ether(into(gateway, frame(ELSEWHERE)))[IP].dst == remote
    assert gateway.maps.fdb[station(5000, ELSEWHERE)].learned == 1


def test_a_sender_that_is_configured_may_not_move(gateway: LoadedObject) -> None:
    out_of(gateway, tunnelled(frame(HERE, THERE)))
    out_of(gateway, tunnelled(frame(HERE, THERE), src=OTHER_REMOTE), Outcome.PINNED)


def test_arp_out_of_the_tunnel_is_learned(gateway: LoadedObject) -> None:
    told = ARP(op=2, hwsrc=ELSEWHERE, psrc="10.0.0.3", hwdst=HERE, pdst="10.0.0.1")
    out_of(gateway, tunnelled(frame(HERE, ELSEWHERE, told)))
    asked = ARP(op=1, hwsrc=HERE, psrc="10.0.0.1", pdst="10.0.0.3")
    answer = Ether(into(gateway, frame(BROADCAST, payload=asked), Outcome.ARP_ANSWERED))
    assert answer[ARP].hwsrc == answer.src == ELSEWHERE


def test_without_learning_only_the_control_plane_knows(bpf: Lab) -> None:
    gateway = load(bpf, learning=0)
    told = ARP(op=2, hwsrc=ELSEWHERE, psrc="10.0.0.3", hwdst=HERE, pdst="10.0.0.1")
    out_of(gateway, tunnelled(frame(HERE, ELSEWHERE, told)))
    assert station(5000, ELSEWHERE) not in gateway.maps.fdb
    assert len(gateway.maps.neighbours) == 1


OTHER_PORT = Ether(dst=LOCAL_MAC) / IP(src=REMOTE, dst=LOCAL) / UDP(dport=4790) / Raw(bytes(40))
NOT_OUT = {
    "other address": (tunnelled(frame(), dst=STRANGER), Outcome.NOT_OURS),
    "other port": (
        Ether(dst=LOCAL_MAC) / IP(src=REMOTE, dst=LOCAL) / UDP(dport=4790) / Raw(bytes(40)),
        Outcome.NOT_OURS,
    ),
    "fragment": (tunnelled(frame(), flags="MF"), Outcome.NOT_OURS),
    "plain frame": (frame(), Outcome.NOT_OURS),
    "no gateway": (tunnelled(frame(), src=STRANGER), Outcome.UNKNOWN_PEER),
    "unknown network": (tunnelled(frame(), 4999), Outcome.UNKNOWN_NETWORK),
    "no VNI": (tunnelled(frame(), vxlan=VXLAN(flags=0, vni=5000)), Outcome.MALFORMED),
    "length beyond the end": (tunnelled(frame(), len=1000), Outcome.MALFORMED),
    "length too little": (tunnelled(frame(), len=49), Outcome.MALFORMED),
    "tagged inside": (tunnelled(frame(vlan=7)), Outcome.MALFORMED),
    "sender is a group": (tunnelled(frame(src=BROADCAST)), Outcome.MALFORMED),
    "frame shorter than an IP header": (tunnelled(frame(HERE, ELSEWHERE, Raw(bytes(19)))), Outcome.FAILED),
}


@pytest.mark.parametrize("what", NOT_OUT)
def test_what_does_not_come_out_of_the_tunnel(gateway: LoadedObject, what: str) -> None:
    packet, outcome = NOT_OUT[what]
    out_of(gateway, packet, outcome)


def test_traffic_is_counted_for_each_network(gateway: LoadedObject) -> None:
    into(gateway, frame(vlan=7))
    into(gateway, frame(BROADCAST, vlan=7), Outcome.FLOODED)
    out_of(gateway, tunnelled(frame(HERE, THERE), 7007))
    counted = gateway.maps.traffic[7007]
    size = len(frame())
    names = ("packets_out", "bytes_out", "packets_in", "bytes_in")
    assert [counted.field(name).sum() for name in names] == [2, 2 * size, 1, size]


# ---- Thousands -------------------------------------------------------------------------------------------------------

Kinds = list[tuple[Template, tuple[str, ...] | None]]


def inbound_kinds() -> Kinds:
    kinds: Kinds = [
        (Template.of(tunnelled(frame(HERE, ELSEWHERE), network, src)), ("Ether:2.src", "IP:2.src", "IP.tos"))
        for network in (5000, 7007, 4999)
        for src in (REMOTE, OTHER_REMOTE, STRANGER)
    ]
    told = ARP(op=2, hwsrc=ELSEWHERE, psrc="10.0.0.3", hwdst=HERE, pdst="10.0.0.1")
    kinds.append((Template.of(tunnelled(frame(HERE, ELSEWHERE, told))), ("ARP.psrc", "ARP.hwsrc")))
    kinds.append((Template.of(tunnelled(frame(HERE, THERE), src=OTHER_REMOTE)), ("IP.id",)))
    kinds.append((Template.of(tunnelled(frame(HERE, ELSEWHERE, ARP()))), ()))
    kinds.append((Template.of(tunnelled(Ether(src=ELSEWHERE, dst=HERE, type=0x88B5))), ()))
    return kinds * 2 + [(build(), None) for build in builders.FAMILIES.values()]


def outbound_kinds() -> Kinds:
    asked = ARP(op=1, hwsrc=HERE, psrc="10.0.0.1", pdst="10.0.0.2")
    kinds: Kinds = [
        (Template.of(frame(dst, vlan=vlan)), ("Ether.src", "IP.src", "IP.tos"))
        for dst in (THERE, NOWHERE, BROADCAST)
        for vlan in NETWORKS
    ]
    kinds += [(Template.of(frame(BROADCAST, payload=asked, vlan=vlan)), ("ARP.psrc", "ARP.hwsrc")) for vlan in (0, 8)]
    return kinds * 2 + [(build(), None) for build in builders.FAMILIES.values()]


def prepared(lab: Lab, direction: str) -> tuple[Program, Callable[[], object]]:
    gateway = load(lab, SOURCE)

    def left() -> object:
        return (
            dict(gateway.maps.fdb.items()),
            dict(gateway.maps.neighbours.items()),
            [values.sum() for values in gateway.maps.outcomes.values()],
            {network: values.field("bytes_in").sum() for network, values in gateway.maps.traffic.items()},
            {network: values.field("bytes_out").sum() for network, values in gateway.maps.traffic.items()},
        )

    program: Program = gateway.programs[direction]
    return program, left


@pytest.mark.parametrize(("direction", "kinds"), [("encapsulate", outbound_kinds), ("decapsulate", inbound_kinds)])
def test_thousands_of_packets_come_out_alike(
    same_on_both: Callable[..., None], generated: Callable[..., list[bytes]], direction: str, kinds: Callable[[], Kinds]
) -> None:
    same_on_both(lambda lab: prepared(lab, direction), generated(kinds(), tc=True))


def test_generated_packets_meet_every_outcome(gateway: LoadedObject, generated: Callable[..., list[bytes]]) -> None:
    gateway.programs.encapsulate.run_many(generated(outbound_kinds(), 1000, tc=True))
    gateway.programs.decapsulate.run_many(generated(inbound_kinds(), 1000, tc=True))
    assert [outcome.name for outcome in Outcome if not count(gateway, outcome)] == []
