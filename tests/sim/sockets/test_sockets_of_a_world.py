"""Sockets that a test adds: namespaces, requests, groups, and what is wrong with one."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from bpflab import Lab
from bpflab.errors import ArgumentError
from bpflab.sim.backend import SimBackend
from bpflab.sim.sockets import Socket
from bpflab.sim.world import World

LOOKUP = """
    r6 = r1
    r2 = 0
    r3 = r10
    r3 += -16
    r4 = 12
    call bpf_skb_load_bytes
    r1 = r6
    r2 = r10
    r2 += -16
    r3 = 12
    r4 = {netns} ll
    r5 = 0
    call bpf_{helper}
    if r0 == 0 goto none
    r7 = r0
    r8 = *(u32 *)(r0 + 72)
    r1 = r7
    call bpf_sk_release
    r0 = r8
    exit
none:
    r0 = 0
    exit
"""
OWN = (1 << 64) - 1
LISTEN, TIME_WAIT, REQUEST = 10, 6, 12


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


@pytest.fixture
def world(lab: Lab) -> World:
    assert isinstance(lab.backend, SimBackend)
    return lab.backend.kernel.world


def state(lab: Lab, helper: str, netns: int = OWN, sport: int = 999) -> int:
    raw = ipaddress.ip_address("9.9.9.9").packed + ipaddress.ip_address("10.0.0.1").packed
    packet = raw + struct.pack("!2H", sport, 80)
    program = lab.program(LOOKUP.format(helper=helper, netns=netns), type="sched_cls")
    return program.run(packet.ljust(60, b"\0")).retval


@pytest.mark.parametrize(("of", "asked"), [(None, OWN), (5, 5), (0, 0)])
@pytest.mark.parametrize("other", [7, 1 << 40])
def test_a_socket_is_found_in_its_own_namespace_alone(
    lab: Lab, world: World, of: int | None, asked: int, other: int
) -> None:
    world.add_socket("tcp", ("10.0.0.1", 80), netns=of)
    assert state(lab, "sk_lookup_tcp", asked) == LISTEN
    assert state(lab, "sk_lookup_tcp", other) == 0


def test_a_request_stands_for_its_listener(lab: Lab, world: World) -> None:
    listener = world.add_socket("tcp", ("10.0.0.1", 80))
    world.add_socket("tcp", ("10.0.0.1", 80), ("9.9.9.9", 999), "new_syn_recv", listener=listener)
    assert state(lab, "skc_lookup_tcp") == REQUEST
    assert state(lab, "sk_lookup_tcp") == LISTEN


def test_a_connection_in_time_wait_is_no_full_socket(lab: Lab, world: World) -> None:
    world.add_socket("tcp", ("10.0.0.1", 80), ("9.9.9.9", 999), "time_wait")
    assert (state(lab, "skc_lookup_tcp"), state(lab, "sk_lookup_tcp")) == (TIME_WAIT, 0)


def test_a_group_shares_the_packets_of_a_port(lab: Lab, world: World) -> None:
    group = [world.add_socket("udp", ("10.0.0.1", 80), reuseport=True, state=each) for each in ("established", "close")]
    found = {state(lab, "sk_lookup_udp", sport=port) for port in range(40)}
    assert found == {each.state for each in group}


def test_a_socket_found_twice_is_given_back_twice(lab: Lab, world: World) -> None:
    world.add_socket("tcp", ("0.0.0.0", 0))
    zeros = "r2 = 0\n*(u64 *)(r10 - 16) = r2\n*(u64 *)(r10 - 8) = r2\n"
    find = "r1 = r6\nr2 = r10\nr2 += -16\nr3 = 12\nr4 = -1\nr5 = 0\ncall bpf_sk_lookup_tcp\n"
    code = (
        f"r6 = r1\n{zeros}{find}if r0 == 0 goto none\nr7 = r0\n{find}if r0 == 0 goto one\n"
        "r8 = r0\nr9 = 0\nif r7 != r8 goto other\nr9 = 1\nother:\n"
        "r1 = r7\ncall bpf_sk_release\nr1 = r8\ncall bpf_sk_release\nr0 = r9\nexit\n"
        "one:\nr1 = r7\ncall bpf_sk_release\nnone:\nr0 = 7\nexit"
    )
    assert lab.program(code, type="sched_cls").run(bytes(60)).retval == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"protocol": "sctp"}, "expected tcp, mptcp, udp, unix"),
        ({"local": "10.0.0.1"}, "is no end of a socket"),
        ({"local": ("10.0.0.1", 70000)}, "expected 0 to 65535"),
        ({"local": ("10.0.0.1", "80")}, "expected 0 to 65535"),
        ({"state": "lisen"}, "did you mean listen"),
        ({"mrk": 3}, "did you mean mark"),
        ({"local": ("::1", 1), "remote": ("10.0.0.1", 2)}, "of one version"),
    ],
)
def test_what_is_no_socket_is_said(world: World, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        world.add_socket(**given)


def test_a_socket_tells_what_it_is(world: World) -> None:
    sock = world.add_socket("tcp", ("::1", 80), ("::2", 999), cookie=255)
    assert repr(sock) == "<tcp socket [::1]:80 to [::2]:999, established, cookie 0xff>"
    with pytest.raises(ArgumentError, match=r"world\.add_socket"):
        _ = Socket().address
