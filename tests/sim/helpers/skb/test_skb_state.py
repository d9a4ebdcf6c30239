"""What the kernel knows of a packet: its flow's hash, for whom it is, its time, congestion, where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab, SkBuff
from bpflab.abi.errno import Errno
from bpflab.asm import call, exit_, ld_map, mov, r2, r3
from bpflab.programs.result import signed

if TYPE_CHECKING:
    from tests.sim.helpers.skb.conftest import Calls

ADDRESSES = bytes(range(1, 13))
TCP, UDP = 6, 17
MULTICAST = 2
QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GET = ("get_hash_recalc",)

OWN_HASH = pytest.mark.bpf(compare=False)
"""The running kernel keys its hash of a flow at random when it boots."""


def ipv4(source: int = 1, target: int = 2, ports: bytes = b"\0\1\0\2", rest: bytes = bytes(20), tos: int = 0) -> bytes:
    header = bytearray((0x45, tos, 0, 60, 0, 0, 0, 0, 64, TCP, 0, 0, 10, 0, 0, source, 10, 0, 0, target))
    header[10:12] = check_of(header).to_bytes(2, "big")
    return ADDRESSES + b"\x08\x00" + bytes(header) + ports + rest


def ipv6(traffic_class: int = 0, label: int = 0, ports: bytes = b"\0\1\0\2") -> bytes:
    first = (6 << 28 | traffic_class << 20 | label).to_bytes(4, "big")
    return ADDRESSES + b"\x86\xdd" + first + bytes((0, 20, UDP, 64)) + bytes(range(32)) + ports + bytes(16)


def check_of(header: bytes | bytearray) -> int:
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, len(header), 2))
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def hash_of(calls: Calls, packet: bytes) -> int:
    return calls(GET, packet=packet).result


@OWN_HASH
@QUICK
@given(rest=st.binary(min_size=20, max_size=40))
def test_a_flow_has_one_hash_whatever_it_carries_and_it_is_never_zero(calls: Calls, rest: bytes) -> None:
    assert hash_of(calls, ipv4(rest=rest)) == hash_of(calls, ipv4()) != 0


@OWN_HASH
def test_both_directions_of_a_flow_have_one_hash(calls: Calls) -> None:
    assert hash_of(calls, ipv4(1, 2, b"\0\1\0\2")) == hash_of(calls, ipv4(2, 1, b"\0\2\0\1"))


@OWN_HASH
def test_other_addresses_and_ports_are_other_flows(calls: Calls) -> None:
    packets = [ipv4(), ipv4(source=9), ipv4(target=9), ipv4(ports=b"\0\1\0\3"), ipv6(), ipv6(ports=b"\0\1\0\3")]
    assert len({hash_of(calls, packet) for packet in packets}) == len(packets)


@OWN_HASH
def test_a_flow_label_stands_for_the_ports(calls: Calls) -> None:
    labelled = [hash_of(calls, ipv6(label=5, ports=ports)) for ports in (b"\0\1\0\2", b"\0\1\0\3")]
    assert labelled[0] == labelled[1] != hash_of(calls, ipv6(label=6))


@OWN_HASH
@pytest.mark.parametrize("value", [0, 1, 0xFFFFFFFF])
def test_a_hash_that_was_set_stays_until_it_is_forgotten(calls: Calls, value: int) -> None:
    kept = calls(("set_hash", value), GET, packet=ipv4())
    forgotten = calls(("set_hash", value), ("set_hash_invalid",), packet=ipv4())
    anew = calls(("set_hash", value), ("set_hash_invalid",), GET, packet=ipv4())
    assert (kept.result, forgotten.fields["hash"]) == (value, 0)
    assert anew.result == anew.fields["hash"] & 0xFFFFFFFF == hash_of(calls, ipv4())


def test_a_hash_is_not_known_before_it_is_asked_for(calls: Calls) -> None:
    assert calls(packet=ipv4()).fields["hash"] == 0


@pytest.mark.parametrize(("wanted", "answer"), [(0, 0), (3, 0), (4, -Errno.EINVAL), (0xFFFFFFFF, -Errno.EINVAL)])
def test_a_packet_is_for_one_of_four(calls: Calls, wanted: int, answer: int) -> None:
    outcome = calls(("skb_change_type", wanted), packet=ipv4())
    assert (outcome.result, outcome.fields["pkt_type"]) == (answer, MULTICAST if answer else wanted)


@pytest.mark.parametrize(
    ("tstamp", "clock", "answer"),
    [
        (0, 0, 0),
        (7, 0, 0),
        (7, 1, 0),
        (7, 2, 0),
        (0, 1, -Errno.EINVAL),
        (0, 2, -Errno.EINVAL),
        (7, 3, -Errno.EINVAL),
        (7, 0xFFFFFFFF, -Errno.EINVAL),
    ],
)
def test_a_time_needs_a_clock_that_is_known(calls: Calls, tstamp: int, clock: int, answer: int) -> None:
    outcome = calls(("skb_set_tstamp", tstamp, clock), packet=ipv4(), ctx=SkBuff(tstamp=9))
    out = SkBuff.from_bytes(outcome.ctx or b"")
    assert (outcome.result, out.tstamp) == (answer, 9 if answer else tstamp)


def test_only_ip_packets_are_given_a_time(calls: Calls) -> None:
    packet = ADDRESSES + b"\x08\x06" + bytes(40)
    assert calls(("skb_set_tstamp", 7, 0), packet=packet).result == -Errno.EOPNOTSUPP


@pytest.mark.parametrize(("ecn", "answer", "becomes"), [(0, 0, 0), (1, 1, 3), (2, 1, 3), (3, 1, 3)])
@pytest.mark.parametrize("prog_type", ["sched_cls", "cgroup_skb"])
def test_congestion_is_marked_where_the_sender_can_take_it(
    calls: Calls, prog_type: str, ecn: int, answer: int, becomes: int
) -> None:
    four = calls(("skb_ecn_set_ce",), packet=ipv4(tos=0xB8 | ecn), prog_type=prog_type)
    six = calls(("skb_ecn_set_ce",), packet=ipv6(0xB8 | ecn), prog_type=prog_type)
    assert (four.result, six.result) == (answer, answer)
    assert four.data[14:] == ipv4(tos=0xB8 | becomes)[14:]
    assert six.data[14:] == ipv6(0xB8 | becomes)[14:]


@pytest.mark.parametrize("rest", [b"\x08\x06" + bytes(40), b"\x81\x00\x00\x05"], ids=["ARP", "cut tag"])
def test_nothing_is_marked_in_other_packets(calls: Calls, rest: bytes) -> None:
    packet = ADDRESSES + rest
    outcome = calls(("skb_ecn_set_ce",), packet=packet)
    assert (outcome.result, outcome.data) == (0, packet)


@pytest.mark.parametrize("helper", ["get_route_realm", "get_cgroup_classid", "skb_cgroup_classid"])
def test_a_test_runs_packet_has_no_realm_and_no_class(calls: Calls, helper: str) -> None:
    assert calls((helper,), packet=ipv4()).result == 0


@pytest.mark.parametrize("prog_type", ["sched_cls", "cgroup_skb"])
def test_the_root_is_the_cgroup_above_all(calls: Calls, prog_type: str) -> None:
    outcome = calls(("skb_cgroup_id",), ("skb_ancestor_cgroup_id", 0), packet=ipv4(), prog_type=prog_type)
    assert (outcome.results[0] != 0, outcome.results[1]) == (True, 1)
    assert calls(("skb_ancestor_cgroup_id", -1), ("skb_ancestor_cgroup_id", 99), packet=ipv4()).results == (0, 0)


@pytest.mark.parametrize(("index", "answer"), [(0, Errno.EAGAIN), (1, Errno.EAGAIN), (2, Errno.E2BIG)])
def test_nobody_is_under_a_cgroup_that_is_not_there(bpf: Lab, index: int, answer: Errno) -> None:
    cgroups = bpf.map("cgroup_array", max_entries=2, name="cgroups")
    code = [ld_map(r2, cgroups.fileno()), mov(r3, index), call("skb_under_cgroup"), exit_()]
    assert signed(bpf.program(code, type="sched_cls").run(ipv4()).retval) == -answer
