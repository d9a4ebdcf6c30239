"""A shield against floods of SYNs in the manner of real ones: cookies go out, and only who returns one comes in."""

from __future__ import annotations

import socket
from enum import IntEnum
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet
from tests.real.conftest import PACKETS, packets_of

from bpflab import XDP, Lab
from bpflab.objects.loaded import LoadedObject
from bpflab_packets import builders

SOURCE = Path(__file__).parent / "synproxy.bpf.c"
SERVER, SERVER6, PORT = "10.0.0.80", "2001:db8::80", 443
MSS, MSS6 = 1460, 1440
PROPERTY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
pytestmark = pytest.mark.bpf(compare=False)  # each kernel makes cookies with a secret of its own


class Outcome(IntEnum):
    """`enum outcome` of synproxy.bpf.c."""

    NOT_OURS = 0
    MALFORMED = 1
    SHIELD_DOWN = 2
    KNOWN_CLIENT = 3
    COOKIE_SENT = 4
    COOKIE_GOOD = 5
    COOKIE_BAD = 6
    OUT_OF_NOWHERE = 7
    FAILED = 8


VERDICTS = dict.fromkeys(Outcome, XDP.DROP) | {
    Outcome.COOKIE_SENT: XDP.TX,
    **dict.fromkeys((Outcome.NOT_OURS, Outcome.SHIELD_DOWN, Outcome.KNOWN_CLIENT, Outcome.COOKIE_GOOD), XDP.PASS),
}


def configure(proxy: LoadedObject, threshold: int = 0, remember: int = 0) -> None:
    proxy.maps.config[0] = {"threshold": threshold, "remember": remember, "mss4": MSS, "mss6": MSS6}
    proxy.maps.ports[socket.htons(PORT)] = 1


@pytest.fixture(scope="module")
def shared(bpf_module: Lab) -> LoadedObject:
    proxy = bpf_module.load(SOURCE)
    configure(proxy)
    return proxy


@pytest.fixture
def proxy(shared: LoadedObject, bpf_module: Lab) -> LoadedObject:
    del bpf_module  # its maps are as they were, before each test
    return shared


def counts(proxy: LoadedObject) -> dict[int, int]:
    return {key: sum(values) for key, values in proxy.maps.outcomes.items()}


def send(proxy: LoadedObject, packet: Packet | bytes) -> tuple[Outcome, Packet]:
    """Send a packet; what the shield made of it, and the packet that came out."""
    before = counts(proxy)
    result = proxy.programs.synproxy.run(bytes(packet))
    (outcome,) = [Outcome(key) for key, count in counts(proxy).items() if count != before[key]]
    assert result.action is VERDICTS[outcome]
    return outcome, Ether(result.data)


def segment(flags: str, *, v6: bool = False, src: str = "", sport: int = 40000, **fields: object) -> Packet:
    network = IPv6(src=src or "2001:db8::9", dst=SERVER6) if v6 else IP(src=src or "192.0.2.9", dst=SERVER)
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return link / network / TCP(sport=sport, dport=PORT, flags=flags, **fields)


def answer_to(cookie: Packet, **fields: object) -> Packet:
    """Make the ACK of a client that was sent a cookie."""
    sent = cookie[TCP]
    values = {"seq": sent.ack, "ack": (sent.seq + 1) % (1 << 32)} | fields
    v6 = IPv6 in cookie
    return segment("A", v6=v6, src=cookie[IPv6 if v6 else IP].dst, sport=sent.dport, **values)


@PROPERTY
@given(
    v6=st.booleans(),
    sport=st.integers(1, 65535),
    seq=st.integers(0, (1 << 32) - 1),
    options=st.lists(st.sampled_from([("MSS", 1400), ("SAckOK", b""), ("WScale", 7), ("NOP", None)]), max_size=4),
    data=st.binary(max_size=30),
)
@example(v6=False, sport=1, seq=(1 << 32) - 1, options=[], data=b"")
def test_a_syn_is_answered_with_a_cookie_that_comes_back_good(
    proxy: LoadedObject, *, v6: bool, sport: int, seq: int, options: list[tuple[str, object]], data: bytes
) -> None:
    proxy.maps.clients.clear()
    syn = segment("S", v6=v6, sport=sport, seq=seq, options=options) / data
    outcome, cookie = send(proxy, syn)
    assert outcome is Outcome.COOKIE_SENT
    assert send(proxy, answer_to(cookie))[0] is Outcome.COOKIE_GOOD
    assert send(proxy, segment("PA", v6=v6, sport=sport) / b"hello")[0] is Outcome.KNOWN_CLIENT


@pytest.mark.parametrize("v6", [False, True], ids=["IPv4", "IPv6"])
def test_the_answer_is_a_whole_segment_turned_round(proxy: LoadedObject, v6: bool) -> None:
    syn = segment("S", v6=v6, seq=1000, options=[("MSS", 1300), ("SAckOK", b"")]) / b"early"
    _, cookie = send(proxy, syn)
    came, network = cookie[TCP], cookie[IPv6 if v6 else IP]
    assert (cookie.src, cookie.dst) == (Ether(bytes(syn)).dst, Ether(bytes(syn)).src)
    assert (network.src, came.sport, came.dport) == (SERVER6 if v6 else SERVER, PORT, 40000)
    assert (came.ack, came.flags, came.dataofs, came.options) == (1001, "SA", 6, [("MSS", MSS6 if v6 else MSS)])
    anew = cookie.copy()
    del anew[TCP].chksum
    if not v6:
        del anew[IP].chksum
    assert bytes(Ether(bytes(anew))) == bytes(cookie)


@PROPERTY
@given(wrong=st.integers(4, (1 << 24) - 4), v6=st.booleans())
@example(wrong=4, v6=False)
@example(wrong=1 << 31, v6=True)
def test_no_number_is_a_cookie_but_those_of_the_four_sizes(proxy: LoadedObject, wrong: int, v6: bool) -> None:
    proxy.maps.clients.clear()
    _, cookie = send(proxy, segment("S", v6=v6, seq=7))
    forged = answer_to(cookie, ack=(cookie[TCP].seq + 1 + wrong) % (1 << 32))
    assert send(proxy, forged)[0] is Outcome.COOKIE_BAD
    assert len(proxy.maps.clients) == 0


def test_a_cookie_is_good_for_its_own_client_alone(proxy: LoadedObject) -> None:
    _, cookie = send(proxy, segment("S"))
    other = answer_to(cookie)
    other[TCP].sport += 1
    assert send(proxy, other)[0] is Outcome.COOKIE_BAD


@pytest.mark.parametrize(
    ("packet", "outcome"),
    [
        (Ether() / ARP(), Outcome.NOT_OURS),
        (Ether() / IP(dst=SERVER) / UDP(dport=PORT), Outcome.NOT_OURS),
        (Ether() / IP(dst=SERVER) / TCP(dport=80, flags="S"), Outcome.NOT_OURS),
        (Ether() / IP(dst=SERVER, flags="MF") / TCP(dport=PORT), Outcome.NOT_OURS),
        (Ether() / IP(dst=SERVER) / TCP(dport=PORT, dataofs=4), Outcome.MALFORMED),
        (Ether() / IP(dst=SERVER) / TCP(dport=PORT, dataofs=15), Outcome.MALFORMED),
        (Ether() / IP(dst=SERVER, ihl=4) / TCP(dport=PORT), Outcome.MALFORMED),
        (Ether() / IP(dst=SERVER) / TCP(dport=PORT, flags="SF"), Outcome.MALFORMED),
        (Ether() / IP(dst=SERVER) / TCP(dport=PORT, flags="R"), Outcome.OUT_OF_NOWHERE),
        (Ether() / IP(dst=SERVER) / TCP(dport=PORT, flags="F"), Outcome.OUT_OF_NOWHERE),
        (Ether() / IP(dst=SERVER) / TCP(dport=PORT, flags="A"), Outcome.COOKIE_BAD),
    ],
    ids=lambda value: None if isinstance(value, Packet) else value.name,
)
def test_each_packet_has_its_outcome(proxy: LoadedObject, packet: Packet, outcome: Outcome) -> None:
    assert send(proxy, packet)[0] is outcome


def test_below_the_threshold_the_shield_is_down(bpf: Lab) -> None:
    proxy = bpf.load(SOURCE)
    configure(proxy, threshold=3)
    outcomes = [send(proxy, segment("S", sport=port))[0] for port in range(1, 6)]
    assert outcomes == [Outcome.SHIELD_DOWN] * 3 + [Outcome.COOKIE_SENT] * 2


@pytest.mark.bpf(backend="sim")
def test_the_rate_is_counted_anew_each_second_and_clients_are_forgotten(bpf: Lab) -> None:
    proxy = bpf.load(SOURCE)
    configure(proxy, threshold=1, remember=10)
    send(proxy, segment("S", sport=1))
    _, cookie = send(proxy, segment("S", sport=2))
    assert send(proxy, answer_to(cookie))[0] is Outcome.COOKIE_GOOD
    bpf.clock.advance(seconds=2)
    assert send(proxy, segment("S", sport=3))[0] is Outcome.SHIELD_DOWN
    assert send(proxy, segment("A", sport=2))[0] is Outcome.KNOWN_CLIENT
    bpf.clock.advance(seconds=11)
    assert send(proxy, segment("A", sport=2))[0] is Outcome.COOKIE_BAD


def test_both_kernels_judge_thousands_of_packets_alike() -> None:
    """The cookies themselves differ, as the secrets do: compared are verdicts and outcomes."""
    from bpflab.backend.select import kernel_refusal

    if kernel_refusal():
        pytest.skip(str(kernel_refusal()))
    kinds = [(builders.tcp(), ["IP.src", "sport", "TCP.flags", "TCP.seq"]), (builders.tcp6(), None)]
    kinds += [(builders.tcp_options(), None), (builders.udp(), None)]
    packets = packets_of(kinds, PACKETS)
    seen = []
    for backend in ("kernel", "sim"):
        with Lab(backend) as lab:
            proxy = lab.load(SOURCE)
            configure(proxy)
            for port in (80, 443):
                proxy.maps.ports[socket.htons(port)] = 1
            verdicts = [each.action for each in proxy.programs.synproxy.run_many(packets, outputs=True)]
            seen.append((verdicts, counts(proxy)))
    assert seen[0] == seen[1]
