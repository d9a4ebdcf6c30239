"""Tunnel keys and options: what a program gives and what it gets are the running kernel's."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.sim.backend import SimBackend
from bpflab.sim.events import TunnelSet
from bpflab.sim.tunnel import Tunnel, TunnelFlag
from bpflab.sim.world import World
from bpflab.sim.xfrm import XfrmState

SETTINGS = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PROGRAM = """
    r6 = r1
    r2 = 0
    r3 = r10
    r3 += -48
    r4 = 44
    call bpf_skb_load_bytes
    r1 = r6
    r2 = r10
    r2 += -48
    r3 = {size}
    r4 = {flags}
    call bpf_skb_set_tunnel_key
    r7 = r0
    r7 &= 0xff
    r1 = r6
    r2 = r10
    r2 += -48
    r3 = {given}
    call bpf_skb_set_tunnel_opt
    r0 &= 0xff
    r7 <<= 8
    r7 |= r0
    r1 = r6
    r2 = r10
    r2 += -104
    r3 = {room}
    r4 = {asked}
    call bpf_skb_get_tunnel_key
    r0 &= 0xff
    r7 <<= 8
    r7 |= r0
    r1 = r6
    r2 = r10
    r2 += -160
    r3 = {wanted}
    call bpf_skb_get_tunnel_opt
    r0 &= 0xff
    r7 <<= 8
    r7 |= r0
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += -160
    r4 = 104
    r5 = 0
    call bpf_skb_store_bytes
    r0 = r7
    exit
"""
CLEAR = "".join(f"r2 = 0\n*(u64 *)(r10 - {at}) = r2\n" for at in range(8, 168, 8))
SIZES = [1, 4, 8, 22, 23, 24, 28, 43, 44]


@pytest.fixture
def sim() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


def world_of(lab: Lab) -> World:
    assert isinstance(lab.backend, SimBackend)
    return lab.backend.kernel.world


def keys() -> st.SearchStrategy[bytes]:
    ends = st.binary(min_size=16, max_size=16)
    ext, label = st.sampled_from([0, 0, 0, 7]), st.sampled_from([0, 0, 5, 0x12345, (1 << 32) - 1])
    numbers = st.tuples(st.integers(0, 2**32 - 1), ends, st.integers(0, 255), st.integers(0, 255), ext, label, ends)
    return numbers.map(lambda each: struct.pack("=I16sBBHI16s", *each))


@SETTINGS
@given(
    key=keys(),
    sizes=st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES)),
    flags=st.tuples(st.integers(0, 33), st.integers(0, 33)),
    options=st.tuples(st.sampled_from([1, 4, 6, 8, 44]), st.sampled_from([1, 4, 8, 44])),
)
@example(key=bytes(44), sizes=(44, 44), flags=(0, 0), options=(4, 8))
@example(key=bytes(44), sizes=(44, 44), flags=(1, 17), options=(8, 4))
@example(key=bytes(44), sizes=(44, 8), flags=(30, 16), options=(8, 44))
@example(key=bytes(44), sizes=(44, 44), flags=(1, 0), options=(1, 44))
@example(key=bytes(44), sizes=(44, 44), flags=(4, 16), options=(1, 44))
@example(key=bytes(44), sizes=(44, 44), flags=(10, 16), options=(1, 44))
@example(key=bytes(44), sizes=(44, 44), flags=(16, 16), options=(4, 44))
def test_a_tunnel_that_is_set_is_got(
    pair: Any, key: bytes, sizes: tuple[int, int], flags: tuple[int, int], options: tuple[int, int]
) -> None:
    code = PROGRAM.format(
        size=sizes[0], room=sizes[1], flags=flags[0], asked=flags[1], given=options[0], wanted=options[1]
    )
    code = code.replace("    r6 = r1\n", f"    r6 = r1\n{CLEAR}r1 = r6\n", 1)
    pair.agree(code, key.ljust(120, b"\0"), type="sched_cls")


def test_a_packet_that_came_through_no_tunnel_has_no_key(pair: Any) -> None:
    code = "r2 = r10\nr2 += -48\nr3 = 44\nr4 = 0\ncall bpf_skb_get_tunnel_key\nexit"
    pair.agree(code, bytes(60), type="sched_cls")


def test_a_test_gives_the_tunnel_that_packets_came_through(sim: Lab) -> None:
    flags = TunnelFlag.KEY | TunnelFlag.VXLAN_OPT
    world_of(sim).tunnel = Tunnel(
        id=42, source="10.0.0.9", destination="10.0.0.1", ttl=64, flags=flags, options=b"abcd"
    )
    load = "r2 = r10\nr2 += -48\nr3 = 44\nr4 = 0\ncall bpf_skb_get_tunnel_key\nif r0 != 0 goto e\n"
    program = sim.program(f"{load}r0 = *(u32 *)(r10 - 48)\ne:\nexit", type="sched_cls")
    remote = sim.program(f"{load}r0 = *(u32 *)(r10 - 44)\ne:\nexit", type="sched_cls")
    option = sim.program("r2 = r10\nr2 += -8\nr3 = 8\ncall bpf_skb_get_tunnel_opt\nexit", type="sched_cls")
    assert [each.run(bytes(60)).retval for each in (program, remote, option)] == [42, 0x0A000009, 4]


def test_the_tunnel_that_a_program_sets_is_an_event(sim: Lab) -> None:
    code = f"r6 = r1\n{CLEAR}r2 = 7\n*(u32 *)(r10 - 48) = r2\nr2 = 0x0a000002\n*(u32 *)(r10 - 44) = r2\n"
    code += "r1 = r6\nr2 = r10\nr2 += -48\nr3 = 44\nr4 = 2\ncall bpf_skb_set_tunnel_key\nexit"
    sim.program(code, type="sched_cls").run(bytes(60))
    (event,) = world_of(sim).seen(TunnelSet)
    assert (event.tunnel.id, event.tunnel.destination) == (7, "10.0.0.2")
    assert TunnelFlag.KEY in event.tunnel.flags
    assert TunnelFlag.CSUM not in event.tunnel.flags


XFRM = "r2 = {index}\nr3 = r10\nr3 += -32\nr4 = {size}\nr5 = {flags}\ncall bpf_skb_get_xfrm_state\nif r0 != 0 goto e\n"


@pytest.mark.parametrize(("index", "size", "flags"), [(0, 28, 0), (1, 28, 0), (0, 24, 0), (0, 28, 1)])
def test_a_packet_that_ipsec_left_alone_has_no_state(pair: Any, index: int, size: int, flags: int) -> None:
    pair.agree(XFRM.format(index=index, size=size, flags=flags) + "e:\nexit", bytes(60), type="sched_cls")


def test_a_test_gives_what_ipsec_did(sim: Lab) -> None:
    world_of(sim).xfrm = (XfrmState(1, 2), XfrmState(reqid=7, spi=0x100, remote="10.0.0.1"))
    code = XFRM.format(index=1, size=28, flags=0) + "r0 = *(u32 *)(r10 - {})\ne:\nexit"
    asked = [sim.program(code.format(at), type="sched_cls").run(bytes(60)).retval for at in (32, 28)]
    assert asked == [7, struct.unpack("=I", struct.pack("!I", 0x100))[0]]


def test_cgroups_of_a_packets_socket_are_told(sim: Lab) -> None:
    world = world_of(sim)
    inner = world.cgroup(id=30, parent=world.cgroup(id=20))
    world.packet_socket = world.add_socket("tcp", ("10.0.0.1", 80), cgroup=inner, classid=9)
    asked = ["r0 = r1\ncall bpf_skb_cgroup_id", "call bpf_skb_cgroup_classid"]
    asked += [f"r2 = {level}\ncall bpf_skb_ancestor_cgroup_id" for level in range(4)]
    found = [sim.program(f"{code}\nexit", type="sched_cls").run(bytes(60)).retval for code in asked]
    assert found == [30, 9, 1, 20, 30, 0]
