"""What the firewall does, rule by rule, on packets as they come over a wire.

`bpf` is a kernel to load into (the running one, or a simulated one: pytest --bpf=sim), `firewall` the loaded
program with its maps. A packet is whatever scapy builds, or plain bytes; each test says what becomes of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Raw
from scapy.utils import checksum

from bpflab import XDP

if TYPE_CHECKING:
    from collections.abc import Callable

    from scapy.packet import Packet

    from bpflab import Lab
    from bpflab.objects.loaded import LoadedObject
    from bpflab.programs.result import RunResult

    Run: TypeAlias = Callable[[Packet | bytes], RunResult]

TELNET = 23
HTTP = 80


class Outcome(IntEnum):
    """What became of a packet: `enum outcome` of firewall.bpf.c."""

    NOT_IP = 0
    PASSED = 1
    ALLOWED_SOURCE = 2
    BLOCKED_PORT = 3
    MALFORMED = 4
    BAD_FRAGMENT = 5
    ECHO_ANSWERED = 6


@pytest.fixture
def firewall(bpf: Lab) -> LoadedObject:
    """Load the firewall, with telnet blocked."""
    loaded = bpf.load("firewall.bpf.c")
    loaded.maps.blocked_ports[TELNET] = 1
    return loaded


@pytest.fixture
def run(firewall: LoadedObject) -> Run:
    """Return what runs the firewall on a packet."""
    return firewall.programs.firewall.run


# A fixture's value lives as long as the test, and all examples of a property share the loaded firewall.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def frame(*layers: Packet) -> Packet:
    """Stack layers upon an Ethernet header with unicast addresses."""
    packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for layer in layers:
        packet /= layer
    return packet


def ipv4(**fields: object) -> Packet:
    """Build an IPv4 header between two test addresses (RFC 5737)."""
    return IP(**{"src": "192.0.2.1", "dst": "198.51.100.2", **fields})


def ipv6(**fields: object) -> Packet:
    """Build an IPv6 header between two test addresses (RFC 3849)."""
    return IPv6(**{"src": "2001:db8::1", "dst": "2001:db8::2", **fields})


def is_right(data: bytes) -> bool:
    """Check bytes with their checksum among them as a receiver does: all words add up to 0xffff (RFC 1071)."""
    return bool(checksum(data) == 0)


def without_checksums(packet: Packet) -> bytes:
    """Return a reply with its checksums computed anew: where one is zero it has two forms, and both are right."""
    if ICMPv6EchoReply in packet:
        del packet[ICMPv6EchoReply].cksum
    else:
        del packet[IP].chksum, packet[ICMP].chksum
    return bytes(packet)


def outcomes(firewall: LoadedObject) -> dict[Outcome, int]:
    """Count the packets of each outcome that has any, over all CPUs."""
    counted = {each: firewall.maps.statistics[each].field("packets").sum() for each in Outcome}
    return {each: packets for each, packets in counted.items() if packets}


# ---- Ports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [ipv4(), ipv6()], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("transport", [TCP(), UDP(), SCTP()], ids=["TCP", "UDP", "SCTP"])
def test_a_blocked_port_is_dropped_and_its_neighbour_is_not(run: Run, network: Packet, transport: Packet) -> None:
    """A blocked port is dropped, whatever carries it, and the next port passes."""
    blocked, open_ = transport.copy(), transport.copy()
    blocked.dport, open_.dport = TELNET, TELNET + 1
    assert run(frame(network, blocked)).action is XDP.DROP
    assert run(frame(network, open_)).action is XDP.PASS


def test_only_the_destination_port_counts(run: Run) -> None:
    """Replies from a blocked port pass: the source port is not looked at."""
    assert run(frame(ipv4(), TCP(sport=TELNET, dport=40000))).action is XDP.PASS


def test_a_port_can_be_opened_again(firewall: LoadedObject, run: Run) -> None:
    """A rule that is taken back, by the value 0 or by deleting it, no longer drops."""
    telnet = frame(ipv4(), TCP(dport=TELNET))
    firewall.maps.blocked_ports[TELNET] = 0
    assert run(telnet).action is XDP.PASS
    del firewall.maps.blocked_ports[TELNET]
    assert run(telnet).action is XDP.PASS


@many
@given(blocked=st.sets(st.integers(0, 65535), max_size=5), port=st.integers(0, 65535))
def test_exactly_the_blocked_ports_are_dropped(firewall: LoadedObject, run: Run, blocked: set[int], port: int) -> None:
    """Whatever set of ports is blocked: a packet is dropped if its port is in the set, and only then."""
    ports = firewall.maps.blocked_ports
    ports.clear()
    ports.update(dict.fromkeys(blocked, 1))
    packets = {each: run(frame(ipv4(), UDP(dport=each))).action for each in {port, *blocked}}
    assert packets == {each: XDP.DROP if each in blocked else XDP.PASS for each in packets}


# ---- What may stand before the ports -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tags",
    [[Dot1Q(vlan=7)], [Dot1AD(vlan=100), Dot1Q(vlan=7)], [Dot1Q(vlan=100), Dot1Q(vlan=7)]],
    ids=["VLAN", "QinQ", "QinQ-of-old"],
)
@pytest.mark.parametrize("network", [ipv4(), ipv6()], ids=["IPv4", "IPv6"])
def test_ports_are_found_behind_vlan_tags(run: Run, tags: list[Packet], network: Packet) -> None:
    """One tag or two change nothing."""
    assert run(frame(*tags, network, TCP(dport=TELNET))).action is XDP.DROP
    assert run(frame(*tags, network, TCP(dport=HTTP))).action is XDP.PASS


def test_a_third_vlan_tag_is_dropped(firewall: LoadedObject, run: Run) -> None:
    """Nobody stacks three tags in good faith; what cannot be looked into does not pass."""
    assert run(frame(Dot1Q(), Dot1Q(), Dot1Q(), ipv4(), TCP(dport=HTTP))).action is XDP.DROP
    assert outcomes(firewall) == {Outcome.MALFORMED: 1}


@pytest.mark.parametrize("words", range(11))
def test_ports_are_found_behind_ipv4_options(run: Run, words: int) -> None:
    """Options of every length that the header can express, 0 to 40 bytes."""
    options = [IPOption_NOP()] * (4 * words)
    assert run(frame(ipv4(options=options), TCP(dport=TELNET))).action is XDP.DROP
    assert run(frame(ipv4(options=options), TCP(dport=HTTP))).action is XDP.PASS


EXTENSIONS = {
    "hop by hop": IPv6ExtHdrHopByHop(),
    "destination options": IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))]),
    "routing": IPv6ExtHdrRouting(addresses=["2001:db8::3", "2001:db8::4"]),
    "whole packet as a fragment": IPv6ExtHdrFragment(),
}


@many
@given(names=st.lists(st.sampled_from(sorted(EXTENSIONS)), max_size=6), blocked=st.booleans())
def test_ports_are_found_behind_ipv6_extension_headers(run: Run, names: list[str], *, blocked: bool) -> None:
    """Up to six extension headers, in any order."""
    headers = [EXTENSIONS[name] for name in names]
    packet = frame(ipv6(), *headers, TCP(dport=TELNET if blocked else HTTP))
    assert run(packet).action is (XDP.DROP if blocked else XDP.PASS)


@pytest.mark.parametrize(("port", "action"), [(TELNET, XDP.DROP), (HTTP, XDP.PASS)])
def test_ports_are_found_behind_an_authentication_header(run: Run, port: int, action: XDP) -> None:
    """The one extension header that counts its length in units of 4 bytes."""
    header = AH(nh=6, payloadlen=4, icv=bytes(12))
    assert run(frame(ipv6(), header, TCP(dport=port))).action is action


def test_seven_extension_headers_are_dropped(firewall: LoadedObject, run: Run) -> None:
    """A chain longer than any use for it hides its end; it does not pass."""
    packet = frame(ipv6(), *[IPv6ExtHdrDestOpt()] * 7, TCP(dport=HTTP))
    assert run(packet).action is XDP.DROP
    assert outcomes(firewall) == {Outcome.MALFORMED: 1}


def test_what_is_not_ip_passes(firewall: LoadedObject, run: Run) -> None:
    """ARP and the like are not ours to judge."""
    assert run(frame(ARP())).action is XDP.PASS
    assert outcomes(firewall) == {Outcome.NOT_IP: 1}


# ---- Fragments -----------------------------------------------------------------------------------------------


def test_the_first_fragment_is_judged_by_its_ports(run: Run) -> None:
    """It has the ports, so nothing of a blocked packet is ever put together."""
    assert run(frame(ipv4(flags="MF"), TCP(dport=TELNET), Raw(bytes(12)))).action is XDP.DROP
    assert run(frame(ipv6(), IPv6ExtHdrFragment(m=1), UDP(dport=TELNET), Raw(bytes(8)))).action is XDP.DROP


@pytest.mark.parametrize(
    "later",
    [
        frame(ipv4(flags="MF", frag=185, proto="tcp"), Raw(b"\0\x17" * 40)),
        frame(ipv6(), IPv6ExtHdrFragment(offset=185, nh=6), Raw(b"\0\x17" * 40)),
    ],
    ids=["IPv4", "IPv6"],
)
def test_a_later_fragment_passes_whatever_its_bytes_look_like(run: Run, later: Packet) -> None:
    """What stands where ports would be is payload."""
    assert run(later).action is XDP.PASS


@pytest.mark.parametrize(
    "fragment",
    [
        frame(ipv4(frag=1, proto="tcp"), Raw(bytes(20))),
        frame(ipv6(), IPv6ExtHdrFragment(offset=1, nh=6), Raw(bytes(20))),
        frame(ipv4(flags="MF", proto="tcp"), Raw(bytes(8))),
        frame(ipv6(), IPv6ExtHdrFragment(m=1, nh=6), Raw(bytes(8))),
    ],
    ids=["IPv4-overlap", "IPv6-overlap", "IPv4-tiny", "IPv6-tiny"],
)
def test_fragments_made_to_slip_past_a_filter_are_dropped(firewall: LoadedObject, run: Run, fragment: Packet) -> None:
    """One that would overwrite the TCP header, one too small to hold it (RFC 1858, RFC 3128)."""
    assert run(fragment).action is XDP.DROP
    assert outcomes(firewall) == {Outcome.BAD_FRAGMENT: 1}


# ---- Allowed prefixes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "action"),
    [
        ("10.0.0.0", XDP.PASS),
        ("10.255.255.255", XDP.PASS),
        ("10.66.1.1", XDP.DROP),
        ("10.66.7.1", XDP.PASS),
        ("10.66.8.1", XDP.PASS),
        ("10.66.8.2", XDP.DROP),
        ("11.0.0.0", XDP.DROP),
        ("9.255.255.255", XDP.DROP),
    ],
)
def test_the_longest_prefix_of_the_source_decides(firewall: LoadedObject, run: Run, source: str, action: XDP) -> None:
    """10/8 is allowed; 10.66/16 within it is not; 10.66.7/24 and one host within that are again."""
    rules = {"10.0.0.0/8": 1, "10.66.0.0/16": 0, "10.66.7.0/24": 1, "10.66.8.1/32": 1}
    firewall.maps.allowed_v4.update(rules)
    assert run(frame(ipv4(src=source), TCP(dport=TELNET))).action is action


@pytest.mark.parametrize(
    ("source", "action"),
    [
        ("2001:db8:1::9", XDP.PASS),
        ("2001:db8:2::9", XDP.DROP),
        ("2001:db8:3::9", XDP.PASS),
        ("2001:db8:3::8", XDP.DROP),
    ],
)
def test_ipv6_sources_are_allowed_by_prefix_too(firewall: LoadedObject, run: Run, source: str, action: XDP) -> None:
    """The same with addresses of 128 bits."""
    firewall.maps.allowed_v6.update({"2001:db8:1::/48": 1, "2001:db8:3::9/128": 1})
    assert run(frame(ipv6(src=source), TCP(dport=TELNET))).action is action


def test_an_allowed_source_may_not_send_nonsense(firewall: LoadedObject, run: Run) -> None:
    """Being allowed is about ports; a malformed packet is dropped before anybody asks who sent it."""
    firewall.maps.allowed_v4["192.0.2.0/24"] = 1
    assert run(frame(ipv4(len=9999), TCP(dport=HTTP))).action is XDP.DROP


# ---- Pings ---------------------------------------------------------------------------------------------------


@many
@given(
    ttl=st.integers(1, 255),
    number=st.integers(0, 65535),
    sequence=st.integers(0, 65535),
    payload=st.binary(max_size=64),
)
def test_a_ping_is_answered_as_a_host_would(run: Run, ttl: int, number: int, sequence: int, payload: bytes) -> None:
    """The reply is what scapy builds from scratch, though its checksums were only updated."""
    result = run(frame(ipv4(ttl=ttl), ICMP(id=number, seq=sequence), Raw(payload)))
    reply = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    reply /= IP(src="198.51.100.2", dst="192.0.2.1", ttl=64) / ICMP(type="echo-reply", id=number, seq=sequence)
    assert result.action is XDP.TX
    assert without_checksums(result.packet) == bytes(reply / Raw(payload))
    assert is_right(result.data[14:34])
    assert is_right(result.data[34:])


@many
@given(number=st.integers(0, 65535), sequence=st.integers(0, 65535), payload=st.binary(max_size=64))
def test_an_icmpv6_ping_is_answered_too(run: Run, number: int, sequence: int, payload: bytes) -> None:
    """Its checksum covers the addresses as well; swapping them leaves the sum as it is."""
    result = run(frame(ipv6(hlim=3), ICMPv6EchoRequest(id=number, seq=sequence, data=payload)))
    reply = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    reply /= IPv6(src="2001:db8::2", dst="2001:db8::1", hlim=64)
    expected = Ether(bytes(reply / ICMPv6EchoReply(id=number, seq=sequence, data=payload)))
    assert result.action is XDP.TX
    assert without_checksums(result.packet) == bytes(expected)
    assert result.packet[ICMPv6EchoReply].cksum % 0xFFFF == expected[ICMPv6EchoReply].cksum % 0xFFFF


def test_a_tagged_ping_is_answered_with_its_tag(run: Run) -> None:
    """The reply goes back into the VLAN that the request came from."""
    result = run(frame(Dot1Q(vlan=7), ipv4(), ICMP()))
    assert result.action is XDP.TX
    assert result.packet[Dot1Q].vlan == 7
    assert result.packet[ICMP].type == 0


@pytest.mark.parametrize("wrong", [0x1234, 0x0000, 0xFFFF])
def test_a_wrong_checksum_stays_wrong(run: Run, wrong: int) -> None:
    """An incremental update repairs nothing: the asker sees that the packet was damaged on its way."""
    assert not is_right(run(frame(ipv4(), ICMP(id=7, chksum=wrong))).data[34:])


@pytest.mark.parametrize(
    "packet",
    [
        frame(ipv4(), ICMP(type="echo-reply")),
        frame(ipv4(), ICMP(type="echo-request", code=1)),
        frame(ipv4(options=[IPOption_NOP()] * 4), ICMP()),
        frame(ipv4(flags="MF"), ICMP(), Raw(bytes(8))),
        frame(ipv6(), IPv6ExtHdrDestOpt(), ICMPv6EchoRequest()),
        Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / ipv4(dst="255.255.255.255") / ICMP(),
    ],
    ids=["reply", "code", "options", "fragment", "extension-header", "broadcast"],
)
def test_what_is_not_a_simple_ping_is_left_to_the_stack(run: Run, packet: Packet) -> None:
    """Only the common case is answered early; the rest goes on unchanged to somebody who knows more."""
    result = run(packet)
    assert result.action is XDP.PASS
    assert result.data == bytes(packet)


def test_answering_pings_can_be_turned_off_before_loading(bpf: Lab) -> None:
    """A constant of the program, set before the verifier sees it."""
    firewall = bpf.load("firewall.bpf.c", rodata={"answer_ping": 0})
    assert firewall.programs.firewall.run(frame(ipv4(), ICMP())).action is XDP.PASS


# ---- Malformed packets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packet",
    [
        frame(ipv4(), TCP(dport=HTTP), Raw(b"GET /")),
        frame(ipv4(options=[IPOption_NOP()] * 8), UDP(dport=HTTP)),
        frame(ipv6(), IPv6ExtHdrHopByHop(), IPv6ExtHdrRouting(addresses=["2001:db8::3"]), TCP(dport=HTTP)),
        frame(Dot1AD(), Dot1Q(), ipv4(), ICMP()),
    ],
    ids=["TCP", "IPv4-options", "IPv6-extensions", "QinQ-ping"],
)
def test_a_packet_cut_short_anywhere_is_dropped(run: Run, packet: Packet) -> None:
    """At every length from a bare Ethernet header to one byte less than the whole."""
    whole = bytes(packet)
    verdicts = {length: run(whole[:length]).action for length in range(14, len(whole))}
    assert verdicts == dict.fromkeys(verdicts, XDP.DROP)
    assert run(whole).action is not XDP.DROP


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(frame(ipv4(version=5), TCP(dport=HTTP)), id="version 5 in IPv4"),
        pytest.param(frame(ipv6(version=4), TCP(dport=HTTP)), id="version 4 in IPv6"),
        pytest.param(frame(ipv4(ihl=4), TCP(dport=HTTP)), id="header of 16 bytes"),
        pytest.param(frame(ipv4(ihl=15), TCP(dport=HTTP)), id="options past the end"),
        pytest.param(frame(ipv4(len=19), TCP(dport=HTTP)), id="total below header"),
        pytest.param(frame(ipv4(len=41), TCP(dport=HTTP)), id="total past the end"),
        pytest.param(frame(ipv4(len=39), TCP(dport=HTTP)), id="no room for TCP"),
        pytest.param(frame(ipv6(plen=21), TCP(dport=HTTP)), id="payload past the end"),
        pytest.param(frame(ipv6(plen=8), IPv6ExtHdrDestOpt(len=1), TCP(dport=HTTP)), id="extension past the payload"),
    ],
)
def test_a_header_that_lies_about_its_lengths_is_dropped(firewall: LoadedObject, run: Run, packet: Packet) -> None:
    """Wrong versions, header lengths below the least or past the end, payloads shorter than their header."""
    assert run(packet).action is XDP.DROP
    assert outcomes(firewall) == {Outcome.MALFORMED: 1}


def test_padding_is_not_mistaken_for_ports(firewall: LoadedObject, run: Run) -> None:
    """Ethernet pads short packets; an empty payload followed by padding has no ports."""
    empty = bytes(frame(ipv4(proto="tcp"))) + bytes(26)
    assert run(empty).action is XDP.DROP
    assert outcomes(firewall) == {Outcome.MALFORMED: 1}


@many
@given(
    start=st.sampled_from([b"", b"\x08\0", b"\x86\xdd", b"\x81\0\0\x07\x08\0", b"\x88\xa8\0\x07\x81\0\0\x07\x86\xdd"]),
    rest=st.binary(min_size=14, max_size=200),
)
def test_no_bytes_at_all_surprise_it(firewall: LoadedObject, run: Run, start: bytes, rest: bytes) -> None:
    """Any bytes get one of three verdicts, are counted once, and leave unchanged unless they are sent back."""
    before = sum(outcomes(firewall).values())
    data = bytes(12) + start + rest
    result = run(data)
    assert result.action in {XDP.PASS, XDP.DROP, XDP.TX}
    assert result.action is XDP.TX or result.data == data
    assert sum(outcomes(firewall).values()) == before + 1


# ---- Statistics ----------------------------------------------------------------------------------------------


def test_every_packet_is_counted_under_its_outcome_with_its_bytes(firewall: LoadedObject, run: Run) -> None:
    """One packet of each kind: seven counters of one packet each, with the bytes of that packet."""
    firewall.maps.allowed_v4["10.0.0.0/8"] = 1
    packets = {
        Outcome.NOT_IP: frame(ARP()),
        Outcome.PASSED: frame(ipv4(), TCP(dport=HTTP)),
        Outcome.ALLOWED_SOURCE: frame(ipv4(src="10.1.2.3"), TCP(dport=TELNET)),
        Outcome.BLOCKED_PORT: frame(ipv4(), TCP(dport=TELNET), Raw(b"login")),
        Outcome.MALFORMED: frame(ipv4(ihl=3), TCP(dport=HTTP)),
        Outcome.BAD_FRAGMENT: frame(ipv4(frag=1, proto="tcp"), Raw(bytes(20))),
        Outcome.ECHO_ANSWERED: frame(ipv4(), ICMP()),
    }
    for packet in packets.values():
        run(packet)
    statistics = firewall.maps.statistics
    assert {each: statistics[each].field("packets").sum() for each in Outcome} == dict.fromkeys(Outcome, 1)
    assert {each: statistics[each].field("bytes").sum() for each in Outcome} == {
        each: len(packet) for each, packet in packets.items()
    }
