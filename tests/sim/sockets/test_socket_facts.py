"""What names a packet's socket, what a map keeps for it, and what it is as another kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bpflab import Lab
from bpflab.sim.backend import SimBackend
from bpflab.sim.world import World

PACKET = bytes(12) + b"\x08\0" + b"\x45" + bytes(59)
STORE = """
    r6 = r1
    r7 = 0
again:
    r2 = *(u64 *)(r6 + 168)
    if r2 == 0 goto none
    r1 = r2
    call bpf_sk_fullsock
    if r0 == 0 goto none
    r2 = r0
    r1 = map[fd:{fd}]
    r3 = {initial}
    r4 = {flags}
    call bpf_sk_storage_get
    if r0 == 0 goto none
    r1 = *(u32 *)(r0 + 0)
    r1 += 1
    *(u32 *)(r0 + 0) = r1
    r7 += 1
    if r7 < 3 goto again
    r0 = r1
    exit
none:
    r0 = 100
    exit
"""
DELETE = """
    r2 = *(u64 *)(r1 + 168)
    if r2 == 0 goto none
    r1 = r2
    call bpf_sk_fullsock
    if r0 == 0 goto none
    r2 = r0
    r1 = map[fd:{fd}]
    call bpf_sk_storage_delete
    exit
none:
    r0 = 100
    exit
"""
FIELDS = {"state": 72, "mark": 16, "src_port": 44, "priority": 20, "family": 4}


@pytest.fixture
def sim() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


def world_of(lab: Lab) -> World:
    assert isinstance(lab.backend, SimBackend)
    return lab.backend.kernel.world


def storage(lab: Lab) -> Any:
    return lab.map("sk_storage", key="s32", value="u32", max_entries=0, flags=1)


@pytest.mark.parametrize("flags", [0, 1, 2])
@pytest.mark.parametrize("repeat", [1, 3])
def test_storage_lasts_as_long_as_the_socket_of_a_run(pair: Any, flags: int, repeat: int) -> None:
    answers = []
    for lab in (pair.kernel, pair.sim):
        kept = storage(lab)
        program = lab.program(STORE.format(fd=kept.fileno(), flags=flags, initial=0), type="sched_cls")
        answers.append([program.run(PACKET, repeat=repeat).retval for _ in range(2)])
        deleting = lab.program(DELETE.format(fd=kept.fileno()), type="sched_cls")
        answers[-1].append(deleting.run(PACKET).retval)
    assert answers[0] == answers[1]


def test_storage_of_a_socket_of_the_world_is_seen_from_both_sides(sim: Lab) -> None:
    world = world_of(sim)
    sock = world.packet_socket = world.add_socket("tcp", ("10.0.0.1", 80))
    kept = storage(sim)
    program = sim.program(STORE.format(fd=kept.fileno(), flags=1, initial=0), type="sched_cls")
    assert [program.run(PACKET).retval for _ in range(2)] == [3, 6]
    assert kept[sock.cookie] == 6
    del kept[sock.cookie]
    assert program.run(PACKET).retval == 3


@pytest.mark.parametrize("helper", ["get_socket_uid", "skb_cgroup_id", "get_cgroup_classid", "get_route_realm"])
def test_a_run_of_its_own_socket_is_known_alike(pair: Any, helper: str) -> None:
    pair.agree(f"call bpf_{helper}\nexit", PACKET, type="sched_cls")


@pytest.mark.parametrize("prog_type", ["sched_cls", "socket_filter", "cgroup_skb"])
def test_cookies_are_those_of_the_packets_socket(sim: Lab, prog_type: str) -> None:
    world = world_of(sim)
    world.packet_socket = world.add_socket("udp", ("10.0.0.1", 53), cookie=77, uid=1000)
    code = "call bpf_get_{}\nif r0 == {} goto e\nr0 = 0\nexit\ne:\nr0 = 1\nexit"
    for name, value in (("socket_cookie", 77), ("socket_uid", 1000)):
        assert sim.program(code.format(name, value), type=prog_type).run(PACKET).retval == 1


def test_a_packet_may_have_no_socket(sim: Lab) -> None:
    world_of(sim).packet_socket = None
    asked = "r0 = *(u64 *)(r1 + 168)\nif r0 == 0 goto none\nr0 = 1\nexit\nnone:\nr0 = 2\nexit"
    assert sim.program(asked, type="sched_cls").run(PACKET).retval == 2
    assert sim.program("call bpf_get_socket_cookie\nexit", type="sched_cls").run(PACKET).retval == 0
    assert sim.program("call bpf_get_socket_uid\nexit", type="sched_cls").run(PACKET).retval == 65534


@pytest.mark.parametrize("field", FIELDS)
def test_the_socket_that_a_run_makes_reads_alike(pair: Any, field: str) -> None:
    code = "r1 = *(u64 *)(r1 + 168)\nr0 = 99\nif r1 == 0 goto e\ncall bpf_sk_fullsock\nif r0 == 0 goto e\n"
    pair.agree(f"{code}r0 = *(u32 *)(r0 + {FIELDS[field]})\ne:\nexit", PACKET, type="sched_cls")


def cast(name: str, load: str) -> str:
    head = "r1 = *(u64 *)(r1 + 168)\nr0 = 99\nif r1 == 0 goto e\n"
    return f"{head}call bpf_{name}\nif r0 == 0 goto e\nr0 = {load}\ne:\nexit"


@pytest.mark.usefixtures("kernel_types")
@pytest.mark.parametrize(
    ("protocol", "local", "state", "casts"),
    [
        ("tcp", "10.0.0.1", "listen", {"sk_fullsock", "tcp_sock", "get_listener_sock", "skc_to_tcp_sock"}),
        ("tcp", "::1", "established", {"sk_fullsock", "tcp_sock", "skc_to_tcp_sock", "skc_to_tcp6_sock"}),
        ("tcp", "10.0.0.1", "time_wait", {"skc_to_tcp_timewait_sock"}),
        ("tcp", "10.0.0.1", "new_syn_recv", {"skc_to_tcp_request_sock"}),
        ("udp", "10.0.0.1", "close", {"sk_fullsock"}),
        ("udp", "::1", "close", {"sk_fullsock", "skc_to_udp6_sock"}),
        ("unix", None, "established", {"sk_fullsock", "skc_to_unix_sock"}),
        ("mptcp", "10.0.0.1", "established", {"sk_fullsock", "skc_to_mptcp_sock"}),
    ],
)
def test_a_socket_is_cast_to_what_it_is_alone(
    sim: Lab, protocol: str, local: str | None, state: str, casts: set[str]
) -> None:
    world = world_of(sim)
    end = (local, 80) if local else None
    world.packet_socket = world.add_socket(protocol, end, state=state)
    names = ["sk_fullsock", "tcp_sock", "get_listener_sock", "skc_to_mptcp_sock", "skc_to_unix_sock"]
    names += [f"skc_to_{each}_sock" for each in ("tcp", "tcp6", "tcp_timewait", "tcp_request", "udp6")]
    found = {name for name in names if sim.program(cast(name, "1"), type="sched_cls").run(PACKET).retval == 1}
    assert found == casts


def test_the_tcp_part_has_what_the_test_gave(sim: Lab) -> None:
    world = world_of(sim)
    sock = world.packet_socket = world.add_socket("tcp", ("10.0.0.1", 80), ("10.0.0.2", 999), tcp={"snd_cwnd": 10})
    program = sim.program(cast("tcp_sock", "*(u32 *)(r0 + 0)"), type="sched_cls")
    assert program.run(PACKET).retval == 10
    sock.tcp["snd_cwnd"] = 20
    assert program.run(PACKET).retval == 20
