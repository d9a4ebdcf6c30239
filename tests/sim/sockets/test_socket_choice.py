"""Programs that choose a socket: by a map, by assigning one, for a group that shares a port."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from bpflab import Lab, SkBuff
from bpflab.abi.attach_types import AttachType
from bpflab.abi.errno import Errno
from bpflab.abi.verdicts import SK, TCX
from bpflab.contexts import SkLookup, SkReuseport
from bpflab.errors import BpfError
from bpflab.sim.backend import SimBackend
from bpflab.sim.events import SocketChosen
from bpflab.sim.world import World

CHOOSE = """
    r6 = r1
    r1 = 0
    *(u32 *)(r10 - 4) = r1
    r1 = map[fd:{fd}]
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto none
    r7 = r0
    {before}
    r1 = r6
    r2 = r7
    r3 = {flags}
    call bpf_sk_assign
    r8 = r0
    r1 = r7
    call bpf_sk_release
    if r8 == 0 goto pass
none:
    r0 = 0
    exit
pass:
    r0 = 1
    exit
"""
TWICE = "r1 = r6\nr2 = r7\nr3 = 0\ncall bpf_sk_assign\n"
SELECT = """
    r6 = r1
    r1 = {index}
    *(u32 *)(r10 - 4) = r1
    r1 = r6
    r2 = map[fd:{fd}]
    r3 = r10
    r3 += -4
    r4 = 0
    call bpf_sk_select_reuseport
    if r0 == 0 goto pass
    r0 = 0
    exit
pass:
    r0 = 1
    exit
"""
REAL = {
    "tcp listener": (socket.AF_INET, socket.SOCK_STREAM, True, False),
    "tcp listener that shares": (socket.AF_INET, socket.SOCK_STREAM, True, True),
    "tcp6 listener": (socket.AF_INET6, socket.SOCK_STREAM, True, False),
    "udp": (socket.AF_INET, socket.SOCK_DGRAM, False, False),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM, False, False),
}


@pytest.fixture
def sim() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


def world_of(lab: Lab) -> World:
    assert isinstance(lab.backend, SimBackend)
    return lab.backend.kernel.world


def opened(kind: str) -> socket.socket:
    family, type_, listens, shares = REAL[kind]
    made = socket.socket(family, type_)
    if shares:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    if listens:
        made.listen()
    return made


@pytest.mark.parametrize("kind", REAL)
@pytest.mark.parametrize("protocol", [6, 17])
@pytest.mark.parametrize("family", [2, 10])
@pytest.mark.parametrize("asked", [("", 0), ("", 2), ("", 4), (TWICE, 0), (TWICE, 1), (TWICE, 3)], ids=str)
def test_a_lookup_program_chooses_a_socket_of_a_map_alike(
    pair: Any, kind: str, protocol: int, family: int, asked: tuple[str, int]
) -> None:
    before, flags = asked
    answers = []
    with opened(kind) as real:
        for lab in (pair.kernel, pair.sim):
            sockets = lab.map("sockmap", key="u32", value="u64", max_entries=1)
            sockets[0] = real.fileno()
            code = CHOOSE.format(before=before, flags=flags, fd=sockets.fileno())
            program = lab.program(code, type="sk_lookup", expected_attach_type=AttachType.SK_LOOKUP)
            try:
                result = program.run(ctx=SkLookup(family=family, protocol=protocol, local_port=80))
                answers.append((result.retval, struct.unpack_from("=Q", result.raw_ctx)[0]))
            except BpfError as error:
                answers.append((type(error).__name__, 0))
            sockets.close()
    assert answers[1] == answers[0]


def test_a_lookup_program_chooses_a_socket_of_the_world(sim: Lab) -> None:
    world = world_of(sim)
    chosen = world.add_socket("tcp", ("10.0.0.1", 8080))
    sockets = sim.map("sockmap", key="u32", value="u64", max_entries=1)
    sockets[0] = chosen.cookie
    code = CHOOSE.format(before="", flags=0, fd=sockets.fileno())
    program = sim.program(code, type="sk_lookup", expected_attach_type=AttachType.SK_LOOKUP)
    result = program.run(ctx=SkLookup(family=2, protocol=6, local_ip4="10.0.0.1", local_port=80))
    assert isinstance(result.ctx, SkLookup)
    assert (result.retval, result.ctx.cookie) == (SK.PASS, chosen.cookie)
    assert [event.cookie for event in world.seen(SocketChosen)] == [chosen.cookie]


def test_a_tc_program_assigns_at_ingress_alone(sim: Lab) -> None:
    world = world_of(sim)
    listener = world.add_socket("tcp", ("127.0.0.1", 80))
    code = """
        r6 = r1
        r1 = 0
        *(u64 *)(r10 - 16) = r1
        r1 = 0x7f000001
        r1 = be32 r1
        *(u32 *)(r10 - 12) = r1
        r1 = 80
        r1 = be32 r1
        *(u32 *)(r10 - 8) = r1
        r1 = r6
        r2 = r10
        r2 += -16
        r3 = 12
        r4 = -1
        r5 = 0
        call bpf_sk_lookup_tcp
        if r0 == 0 goto none
        r7 = r0
        r1 = r6
        r2 = r7
        r3 = 0
        call bpf_sk_assign
        r8 = r0
        r1 = r7
        call bpf_sk_release
        r0 = r8
        exit
    none:
        r0 = 77
        exit
    """
    program = sim.program(code, type="sched_cls")
    packet = bytes(12) + b"\x08\0" + bytes(60)
    assert program.run(packet, SkBuff()).retval == (1 << 32) - Errno.EOPNOTSUPP
    assert world.seen(SocketChosen) == []
    interface = world.add_interface("eth0")
    sim.attach(program, interface, hook="ingress")
    way = world.send(packet, into=interface)
    assert [hop.verdict for hop in way.hops] == [TCX.PASS]
    assert [event.cookie for event in world.seen(SocketChosen)] == [listener.cookie]


@pytest.mark.parametrize(
    ("first", "other", "shares", "errno"),
    [
        (("tcp", "10.0.0.1", 80), ("tcp", "10.0.0.1", 80), True, 0),
        (("tcp", "10.0.0.1", 80), ("tcp", "10.0.0.2", 80), True, Errno.EBADFD),
        (("tcp", "10.0.0.1", 80), ("udp", "10.0.0.1", 80), True, Errno.EPROTOTYPE),
        (("tcp", "10.0.0.1", 80), ("tcp", "::1", 80), True, Errno.EAFNOSUPPORT),
        (("tcp", "10.0.0.1", 80), ("tcp", "10.0.0.1", 80), False, Errno.EINVAL),
    ],
)
def test_a_group_has_a_socket_chosen_from_a_map(
    sim: Lab, first: tuple[str, str, int], other: tuple[str, str, int], shares: bool, errno: int
) -> None:
    world = world_of(sim)
    asked = world.add_socket(first[0], first[1:], reuseport=True)
    chosen = world.add_socket(other[0], other[1:], reuseport=shares)
    sockets = sim.map("sockmap", key="u32", value="u64", max_entries=2)
    sockets[1] = chosen.cookie
    program = sim.program(SELECT.format(index=1, fd=sockets.fileno()), type="sk_reuseport")
    result = program.run(b"\x03\xe7\x00\x50" + bytes(16), ctx=SkReuseport(sk=asked.address, ip_protocol=6))
    assert result.retval == (SK.DROP if errno else SK.PASS)
    assert [event.cookie for event in world.seen(SocketChosen)] == ([] if errno else [chosen.cookie])


def test_an_array_of_a_group_takes_sockets_that_share_their_port_alone(sim: Lab) -> None:
    world = world_of(sim)
    sockets = sim.map("reuseport_sockarray", key="u32", value="u64", max_entries=2)
    sockets[0] = world.add_socket("udp", ("10.0.0.1", 53), reuseport=True).cookie
    with pytest.raises(BpfError):
        sockets[1] = world.add_socket("udp", ("10.0.0.1", 54)).cookie
    program = sim.program(SELECT.format(index=0, fd=sockets.fileno()), type="sk_reuseport")
    assert program.run(bytes(8), ctx=SkReuseport()).retval == SK.PASS


def test_fields_of_a_group_are_read_or_refused_alike(pair: Any) -> None:
    taken: dict[tuple[int, int], list[bool]] = {}
    for size in (1, 2, 4, 8):
        for offset in range(0, 64, size):
            code = f"r0 = *(u{8 * size} *)(r1 + {offset})\nr0 = 1\nexit"
            for lab in (pair.sim, pair.kernel):
                try:
                    lab.program(code, type="sk_reuseport").close()
                    taken.setdefault((size, offset), []).append(True)
                except BpfError:
                    taken.setdefault((size, offset), []).append(False)
    assert {access: answers for access, answers in taken.items() if answers[0] != answers[1]} == {}
