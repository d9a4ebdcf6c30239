"""A rate limiter before a name server in the manner of real ones: which queries pass, and what the others are told."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRROPT
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from bpflab import XDP, Lab
from bpflab.objects.loaded import LoadedObject
from bpflab.programs.program import Program
from bpflab_packets import builders
from bpflab_packets.template import Template

SOURCE = Path(__file__).parent / "limiter.bpf.c"
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
BACK = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
CLIENT, SERVER, TRUSTED = "203.0.113.7", "192.0.2.53", "198.51.100.9"
CLIENT6, SERVER6, TRUSTED6 = "2001:db8:7::7", "2001:db8::53", "2001:db8:9::9"
BURST, SLIP = 4, 2
SECOND = 1_000_000_000
EVERYTHING = 255
LONGEST = ".".join(["a" * 63] * 3 + ["a" * 61])
"""A name of 255 bytes, the most that there may be."""
IPV4, IPV6 = 0x0800, 0x86DD


class Outcome(IntEnum):
    """`enum outcome` of dns.h."""

    NOT_DNS = 0
    MALFORMED = 1
    FRAGMENT = 2
    RESPONSE = 3
    ALLOWED = 4
    PASSED = 5
    TRUNCATED = 6
    ANY_TRUNCATED = 7
    DROPPED = 8


VERDICTS = {
    Outcome.NOT_DNS: XDP.PASS,
    Outcome.ALLOWED: XDP.PASS,
    Outcome.PASSED: XDP.PASS,
    Outcome.TRUNCATED: XDP.TX,
    Outcome.ANY_TRUNCATED: XDP.TX,
}


def words(text: str) -> tuple[int, ...]:
    packed = ipaddress.ip_address(text).packed.ljust(16, b"\0")
    return tuple(int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, 16, 4))


def load(lab: Lab, source: str | Path = "limiter.bpf.c", **constants: int) -> LoadedObject:
    """Load the limiter, by default with buckets that do not fill up again: nothing depends on the time."""
    limiter = lab.load(source, rodata={"rate": 0, "burst": BURST, "slip": SLIP} | constants)
    limiter.maps.allowed_v4.update({"198.51.100.0/24": 1, "198.51.100.66": 0})
    limiter.maps.allowed_v6["2001:db8:9::/48"] = 1
    return limiter


@pytest.fixture(scope="module")
def shared(bpf_module: Lab) -> LoadedObject:
    return load(bpf_module)


@pytest.fixture
def limiter(shared: LoadedObject) -> LoadedObject:
    return shared


def network(src: str, /, **fields: Any) -> Packet:
    if ":" in src:
        return IPv6(**{"src": src, "dst": SERVER6} | fields)
    return IP(**{"src": src, "dst": SERVER} | fields)


def query(src: str = CLIENT, name: str = "example.com", kind: int = 1, **dns: Any) -> Packet:
    message = DNS(**{"id": 7, "rd": 1, "qd": [DNSQR(qname=name, qtype=kind)]} | dns)
    return LINK / network(src) / UDP(sport=4000, dport=53) / message


def truncated(src: str = CLIENT, name: str = "example.com", kind: int = 1, rd: int = 1) -> Packet:
    question = DNSQR(qname=name, qtype=kind)
    ends = {"src": SERVER6, "dst": src, "hlim": 64} if ":" in src else {"src": SERVER, "dst": src, "id": 0, "ttl": 64}
    return BACK / network(src, **ends) / UDP(sport=53, dport=4000) / DNS(id=7, qr=1, tc=1, rd=rd, qd=[question])


def count(limiter: LoadedObject, outcome: Outcome) -> int:
    return int(limiter.maps.outcomes[outcome].sum())


def ask(limiter: LoadedObject, packet: Packet | bytes, outcome: Outcome = Outcome.PASSED) -> bytes:
    before = count(limiter, outcome)
    result = limiter.programs.limiter.run(packet)
    assert count(limiter, outcome) == before + 1
    assert result.action is VERDICTS.get(outcome, XDP.DROP)
    return result.data


def outcomes_of(limiter: LoadedObject, src: str, count_of_queries: int) -> list[XDP]:
    columns = limiter.programs.limiter.run_many([query(src)] * count_of_queries)
    return [XDP(retval) for retval in columns.retvals]


many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
ends = pytest.mark.parametrize("src", [CLIENT, CLIENT6])


# ---- Buckets ---------------------------------------------------------------------------------------------------------


@ends
def test_a_burst_passes_and_the_rest_is_dropped_or_truncated_by_turns(limiter: LoadedObject, src: str) -> None:
    assert outcomes_of(limiter, src, 10) == [XDP.PASS] * BURST + [XDP.DROP, XDP.TX] * 3


@pytest.mark.parametrize(("slip", "told"), [(0, []), (1, [0, 1, 2, 3, 4, 5]), (3, [2, 5])])
def test_slip_says_which_refused_queries_are_answered(bpf: Lab, slip: int, told: list[int]) -> None:
    refused = outcomes_of(load(bpf, slip=slip), CLIENT, BURST + 6)[BURST:]
    assert [at for at, verdict in enumerate(refused) if verdict is XDP.TX] == told


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("203.0.113.1", "203.0.113.254", True),
        ("203.0.113.1", "203.0.112.1", False),
        ("2001:db8:7:100::1", "2001:db8:7:1ff:ffff::", True),
        ("2001:db8:7:100::1", "2001:db8:7:200::1", False),
    ],
)
def test_clients_of_one_network_share_a_bucket(limiter: LoadedObject, one: str, other: str, share: bool) -> None:
    outcomes_of(limiter, one, BURST)
    assert (outcomes_of(limiter, other, 1) == [XDP.DROP]) is share
    assert len(limiter.maps.buckets) == 2 - share


@pytest.mark.parametrize("length", [0, 1, 31, 32])
def test_the_size_of_a_network_is_set_before_the_load(bpf: Lab, length: int) -> None:
    limiter = load(bpf, length_v4=length)
    ask(limiter, query())
    expected = ipaddress.ip_network(f"{CLIENT}/{length}", strict=False).network_address
    assert [key.words for key in limiter.maps.buckets] == [words(str(expected))]


def test_a_bucket_counts_what_it_refused(limiter: LoadedObject) -> None:
    outcomes_of(limiter, CLIENT, BURST + 5)
    assert [(bucket.refused, bucket.credit) for bucket in limiter.maps.buckets.values()] == [(5, 0)]


@pytest.mark.bpf(compare=False)
def test_a_bucket_that_was_left_alone_is_full_again(bpf: Lab) -> None:
    limiter = load(bpf, rate=1000)
    key = {"family": IPV4, "words": words("203.0.113.0")}
    limiter.maps.buckets[key] = {"credit": 0, "last": 0}
    ask(limiter, query())
    assert limiter.maps.buckets[key].credit == (BURST - 1) * SECOND // 1000


@pytest.mark.bpf(backend="sim")
@pytest.mark.parametrize("rate", [1, 3, 1000])
@settings(many, max_examples=15)
@given(waits=st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=20))
def test_tokens_come_back_with_time(
    bpf: Lab, filling: Callable[[int], LoadedObject], rate: int, waits: list[int]
) -> None:
    limiter = filling(rate)
    limiter.maps.buckets.clear()
    cost = SECOND // rate
    credit = BURST * cost
    ask(limiter, query(), Outcome.PASSED)
    for wait in waits:
        bpf.clock.advance(nanoseconds=wait)
        credit = min(credit - cost * (credit >= cost) + wait, BURST * cost)
        ask(limiter, query(), Outcome.PASSED if credit >= cost else Outcome.DROPPED)


@pytest.fixture
def filling(bpf: Lab) -> Callable[[int], LoadedObject]:
    """Return what loads the limiter with a rate, once for all examples of a test."""
    return cache(lambda rate: load(bpf, rate=rate, slip=0))


# ---- Answers ---------------------------------------------------------------------------------------------------------


@ends
@pytest.mark.parametrize("name", [".", "a", "example.com", "a.b.c.d.e", LONGEST])
def test_everything_is_asked_for_by_tcp(limiter: LoadedObject, src: str, name: str) -> None:
    answer = ask(limiter, query(src, name, EVERYTHING), Outcome.ANY_TRUNCATED)
    assert answer == bytes(truncated(src, name, EVERYTHING))


@ends
@many
@given(label=st.binary(min_size=1, max_size=63), rd=st.integers(0, 1), kind=st.integers(0, 254))
@example(label=b"a", rd=0, kind=1)
def test_the_answer_is_the_question_and_its_checksum_is_right(
    limiter: LoadedObject, src: str, label: bytes, rd: int, kind: int
) -> None:
    limiter.maps.buckets.clear()
    limiter.programs.limiter.run_many([query(src)] * (BURST + 1))
    question = bytes([len(label)]) + label + b"\0" + kind.to_bytes(2) + b"\0\1"
    head = bytes(DNS(id=7, rd=rd, qd=[]))[:4] + b"\0\1" + bytes(6)
    sent = LINK / network(src) / UDP(sport=4000, dport=53) / Raw(head + question)
    flags = (0x8200 | rd << 8).to_bytes(2)
    expected = truncated(src)
    expected[UDP].remove_payload()
    assert ask(limiter, sent, Outcome.TRUNCATED) == bytes(expected / Raw(head[:2] + flags + head[4:] + question))


@ends
def test_an_option_of_the_query_is_not_in_the_answer(limiter: LoadedObject, src: str) -> None:
    asked = query(src, kind=EVERYTHING, ar=[DNSRROPT(rclass=4096)])
    assert ask(limiter, asked, Outcome.ANY_TRUNCATED) == bytes(truncated(src, kind=EVERYTHING))


def test_padding_of_the_link_is_not_in_the_answer(limiter: LoadedObject) -> None:
    asked = bytes(query(kind=EVERYTHING)) + bytes(10)
    assert ask(limiter, asked, Outcome.ANY_TRUNCATED) == bytes(truncated(kind=EVERYTHING))


def test_the_tag_stays(limiter: LoadedObject) -> None:
    asked, told = query(kind=EVERYTHING), truncated(kind=EVERYTHING)
    tagged, expected = (Ether(src=each.src, dst=each.dst) / Dot1Q(vlan=7) / each.payload for each in (asked, told))
    assert ask(limiter, tagged, Outcome.ANY_TRUNCATED) == bytes(expected)


def test_everything_may_be_asked_for_where_it_is_not_limited(bpf: Lab) -> None:
    ask(load(bpf, limit_any=0), query(kind=EVERYTHING))


# ---- Who is not limited ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("src", [TRUSTED, TRUSTED6])
def test_sources_on_the_list_are_not_limited(limiter: LoadedObject, src: str) -> None:
    for kind in [1] * (BURST + 2) + [EVERYTHING]:
        ask(limiter, query(src, kind=kind), Outcome.ALLOWED)
    assert len(limiter.maps.buckets) == 0


def test_the_longest_prefix_decides(limiter: LoadedObject) -> None:
    ask(limiter, query("198.51.100.66"))


# ---- What is no query ------------------------------------------------------------------------------------------------


def raw(payload: bytes, **udp: Any) -> Packet:
    return LINK / network(CLIENT) / UDP(**{"sport": 4000, "dport": 53} | udp) / Raw(payload)


HEAD = bytes.fromhex("000701000001000000000000")
OTHERS = {
    "another port": (LINK / network(CLIENT) / UDP(dport=54) / DNS(), Outcome.NOT_DNS),
    "TCP": (LINK / network(CLIENT) / TCP(dport=53), Outcome.NOT_DNS),
    "TCP over IPv6": (LINK / network(CLIENT6) / TCP(dport=53), Outcome.NOT_DNS),
    "ARP": (LINK / ARP(), Outcome.NOT_DNS),
    "two tags": (LINK / Dot1Q(vlan=1) / Dot1Q(vlan=7) / network(CLIENT) / UDP(dport=53), Outcome.NOT_DNS),
    "answer": (query(qr=1), Outcome.RESPONSE),
    "update": (query(opcode=5), Outcome.MALFORMED),
    "truncated query": (query(tc=1), Outcome.MALFORMED),
    "no question": (query(qd=[]), Outcome.MALFORMED),
    "two questions": (query(qd=[DNSQR(qname="a"), DNSQR(qname="b")]), Outcome.MALFORMED),
    "answer in a query": (query(an=[DNSRR(rrname="a", rdata="1.2.3.4")]), Outcome.MALFORMED),
    "compressed name": (raw(HEAD + b"\xc0\x0c\0\1\0\1"), Outcome.MALFORMED),
    "reserved label": (raw(HEAD + b"\x40" + b"a" * 64 + b"\0\0\1\0\1"), Outcome.MALFORMED),
    "name without end": (raw(HEAD + b"\x01a\x01b\x01c"), Outcome.MALFORMED),
    "name too long": (raw(HEAD + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"), Outcome.MALFORMED),
    "too many labels": (raw(HEAD + b"\x01a" * 128 + b"\0\0\1\0\1"), Outcome.MALFORMED),
    "no class": (raw(HEAD + b"\x01a\0\0\1"), Outcome.MALFORMED),
    "class beyond the datagram": (raw(HEAD + b"\x01a\0\0\1\0\1", len=8 + 17), Outcome.MALFORMED),
    "length beyond the packet": (raw(HEAD + b"\x01a\0\0\1\0\1", len=100), Outcome.MALFORMED),
    "length too little": (raw(HEAD + b"\x01a\0\0\1\0\1", len=24), Outcome.MALFORMED),
    "options of IP": (LINK / network(CLIENT, options=[IPOption_NOP()]) / UDP(dport=53) / DNS(), Outcome.MALFORMED),
    "fragment of IPv6": (LINK / network(CLIENT6) / IPv6ExtHdrFragment(m=1) / UDP(dport=53), Outcome.FRAGMENT),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_query(limiter: LoadedObject, what: str) -> None:
    packet, outcome = OTHERS[what]
    assert ask(limiter, packet, outcome) == bytes(packet)
    assert len(limiter.maps.buckets) == 0


def test_a_name_of_the_greatest_length_is_a_name(limiter: LoadedObject) -> None:
    ask(limiter, query(name=LONGEST))
    ask(limiter, raw(HEAD + b"\x01a" * 127 + b"\0\0\1\0\1"))


def test_fragments_are_dropped(limiter: LoadedObject) -> None:
    for part in fragment(IP(src=CLIENT, dst=SERVER) / UDP(dport=53) / Raw(bytes(100)), fragsize=40):
        ask(limiter, LINK / part, Outcome.FRAGMENT)


@many
@given(cut=st.integers(14, len(bytes(query())) - 1))
def test_no_part_of_a_query_is_a_query(limiter: LoadedObject, cut: int) -> None:
    ask(limiter, bytes(query())[:cut], Outcome.MALFORMED)


# ---- Thousands -------------------------------------------------------------------------------------------------------


def kinds() -> list[tuple[Template, tuple[str, ...] | None]]:
    found: list[tuple[Template, tuple[str, ...] | None]] = []
    for name, kind in (("a", 1), ("example.com", 28), (LONGEST, 16), ("a.b.c", EVERYTHING)):
        found += [
            (Template.of(query(CLIENT, name, kind)), ("IP.ttl", "IP.id", "UDP.sport", "DNS.id")),
            (Template.of(query(CLIENT6, name, kind)), ("IPv6.fl", "UDP.sport", "DNS.id")),
            (Template.of(query(CLIENT, name, kind)), ("IP.src",)),
            (Template.of(query(CLIENT6, name, kind, ar=[DNSRROPT()])), ("IPv6.src", "UDP.sport")),
        ]
    found += [(Template.of(query(src)), ("UDP.sport",)) for src in (TRUSTED, TRUSTED6)]
    found += [(Template.of(query(qr=1)), ("IP.src",)), (builders.udp().fixed({"dport": 53}), None)]
    return found * 2 + [(build(), None) for build in builders.FAMILIES.values()]


def prepared(lab: Lab) -> tuple[Program, Callable[[], object]]:
    limiter = load(lab, SOURCE)

    def left() -> object:
        return dict(limiter.maps.buckets.items()), [values.sum() for values in limiter.maps.outcomes.values()]

    return limiter.programs.limiter, left


def test_thousands_of_packets_come_out_alike(
    same_on_both: Callable[..., None], generated: Callable[..., list[bytes]]
) -> None:
    same_on_both(prepared, generated(kinds()))


def test_generated_packets_meet_every_outcome(limiter: LoadedObject, generated: Callable[..., list[bytes]]) -> None:
    limiter.programs.limiter.run_many(generated(kinds(), 1000))
    assert [outcome.name for outcome in Outcome if not count(limiter, outcome)] == []
