"""Lookups find the socket that the running kernel finds, and programs read the same of it."""

from __future__ import annotations

import ipaddress
import itertools
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab, SkBuff
from bpflab.abi.sockets import Family

ESTABLISHED = 1
SECOND = 40
"""The index of the second interface."""
LISTENERS: Sequence[dict[str, Any]] = (
    {"protocol": "tcp", "address": "10.0.0.1", "port": 80, "mark": 7},
    {"protocol": "tcp", "address": "0.0.0.0", "port": 81, "mark": 8},
    {"protocol": "tcp", "address": "::", "port": 82},
    {"protocol": "tcp", "address": "::", "port": 83, "v6only": True},
    {"protocol": "tcp", "address": "0.0.0.0", "port": 83},
    {"protocol": "tcp", "address": "10.0.0.1", "port": 84, "reuseport": True, "mark": 1},
    {"protocol": "tcp", "address": "0.0.0.0", "port": 84, "reuseport": True, "mark": 2},
    {"protocol": "tcp", "address": "0.0.0.0", "port": 85, "device": "lo"},
    {"protocol": "tcp", "address": "0.0.0.0", "port": 86, "device": "second"},
    {"protocol": "tcp", "address": "fd00::1", "port": 87, "mark": 3},
    {"protocol": "tcp", "address": "::ffff:10.0.0.2", "port": 88},
    {"protocol": "udp", "address": "10.0.0.1", "port": 80},
    {"protocol": "udp", "address": "0.0.0.0", "port": 81},
    {"protocol": "udp", "address": "::", "port": 82},
    {"protocol": "udp", "address": "::", "port": 83, "v6only": True},
    {"protocol": "udp", "address": "0.0.0.0", "port": 85, "device": "lo"},
    {"protocol": "udp", "address": "0.0.0.0", "port": 86, "device": "second"},
    {"protocol": "udp", "address": "fd00::1", "port": 87},
)
CONNECTIONS = (
    ("tcp", ("127.0.0.1", 5000), ("10.0.0.1", 80)),
    ("tcp", ("10.0.0.2", 5001), ("10.0.0.1", 84)),
    ("tcp", ("10.0.0.2", 5003), ("10.0.0.2", 82)),
    ("tcp", ("fd00::1", 5002), ("fd00::1", 87)),
    ("udp", ("10.0.0.1", 83), ("10.0.0.2", 5000)),
    ("udp", ("fd00::1", 88), ("fd00::1", 5002)),
)


SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HELPERS = ("sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp")
COMMON = {"skc_lookup_tcp": {0, 4, *range(24, 80, 4)}}
LOOKUP = """
    r6 = r1
    r2 = 0
    r3 = r10
    r3 += -40
    r4 = {size}
    call bpf_skb_load_bytes
    r1 = r6
    r2 = r10
    r2 += -40
    r3 = {size}
    r4 = -1
    r5 = 0
    call bpf_{helper}
    r8 = 0
    if r0 == 0 goto none
    r7 = r0
    {loads}
    r1 = r7
    call bpf_sk_release
    r8 = 1
none:
    r1 = r6
    r2 = 40
    r3 = r10
    r3 += -128
    r4 = 80
    r5 = 0
    call bpf_skb_store_bytes
    r0 = r8
    exit
"""
Question = tuple[str, tuple[str, int], tuple[str, int], int]
ADDRESSES = {4: ["10.0.0.1", "10.0.0.2", "127.0.0.1", "9.9.9.9"], 6: ["fd00::1", "::1", "fd00::9", "::ffff:10.0.0.2"]}
PORTS = (*range(80, 90), 5000, 5001, 5002, 5003)


def program(helper: str, size: int) -> str:
    words = COMMON.get(helper, set(range(0, 80, 4)))
    clear = "".join(f"r1 = 0\n*(u32 *)(r10 - {128 - off}) = r1\n" for off in range(0, 80, 4))
    loads = "".join(f"r1 = *(u32 *)(r7 + {off})\n*(u32 *)(r10 - {128 - off}) = r1\n" for off in sorted(words))
    code = LOOKUP.format(size=size, helper=helper, loads=loads)
    return code.replace("    r6 = r1\n", f"    r6 = r1\n{clear}    r1 = r6\n", 1)


def comparable(shown: bytearray) -> str:
    """Leave out what rests on how a socket was connected: addresses of the other family, the queue of its packets."""
    if shown[72] == ESTABLISHED:
        shown[76:80] = bytes(4)
    if shown[4] == Family.INET:
        shown[28:44] = shown[56:72] = bytes(16)
    else:
        shown[52:56] = bytes(4)
    return shown.hex(" ", 4)


class Twins:
    """The two Labs, with the programs that ask."""

    def __init__(self, kernel: Lab, sim: Lab) -> None:
        kinds = itertools.product(HELPERS, (12, 36))
        self.asking = {
            (helper, size): [lab.program(program(helper, size), type="sched_cls") for lab in (kernel, sim)]
            for helper, size in kinds
        }

    def ask(self, question: Question) -> list[tuple[int, str]]:
        helper, source, destination, ifindex = question
        ends = [ipaddress.ip_address(end[0]).packed for end in (source, destination)]
        raw = b"".join(ends) + struct.pack("!2H", source[1], destination[1])
        answers = []
        for asked in self.asking[helper, len(raw)]:
            result = asked.run(raw.ljust(140, b"\0"), SkBuff(ifindex=ifindex))
            answers.append((result.retval, comparable(bytearray(result.data[40:120]))))
        return answers


@pytest.fixture(scope="module")
def twins(both_with_sockets: tuple[Lab, Lab]) -> Twins:
    return Twins(*both_with_sockets)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    known = [(local, remote) for _, local, remote in CONNECTIONS]
    ways = known + [(remote, local) for local, remote in known]
    if draw(st.booleans()):
        source, destination = draw(st.sampled_from(ways))
    else:
        addresses = st.sampled_from(ADDRESSES[draw(st.sampled_from([4, 6]))])
        ports = st.sampled_from(PORTS)
        source, destination = (draw(addresses), draw(ports)), (draw(addresses), draw(ports))
    return draw(st.sampled_from(HELPERS)), source, destination, draw(st.sampled_from([1, SECOND]))


@SETTINGS
@given(question=questions())
def test_the_same_socket_is_found(twins: Twins, question: Question) -> None:
    kernel, sim = twins.ask(question)
    assert sim == kernel


@pytest.mark.parametrize("each", LISTENERS, ids=lambda each: f"{each['protocol']}-{each['address']}-{each['port']}")
@pytest.mark.parametrize("helper", HELPERS)
def test_each_listener_is_found_from_every_side(twins: Twins, helper: str, each: Any) -> None:
    for addresses, ifindex in itertools.product(ADDRESSES.values(), (1, SECOND)):
        for source, destination in itertools.product(addresses, addresses):
            kernel, sim = twins.ask((helper, (source, 999), (destination, each["port"]), ifindex))
            assert sim == kernel, (source, destination, ifindex)
