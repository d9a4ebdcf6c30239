"""getsockopt and setsockopt give the same through a program of the running kernel as through a simulated run."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.socket_options import CONGESTION, OPTIONS, Level
from bpflab.contexts import SockAddr, SockOpt
from bpflab.errors import InputError

KIND = ProgType.CGROUP_SOCKOPT
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = ("level", "optname", "optlen")
INTS = st.sampled_from(
    [-(1 << 31), -1, 0, 1, 2, 3, 6, 7, 88, 127, 128, 255, 256, 1000, 5000, 32767, 32768, (1 << 31) - 1]
)
"""The borders of most options among them."""

CHANGED = """
    r2 = *(u64 *)(r6 + 8)
    r3 = *(u64 *)(r6 + 16)
    r4 = r3
    r4 -= r2
    *(u64 *)(r7 + 64) = r4
    r4 = r2
    r4 += 4
    if r4 > r3 goto out
    r5 = *(u32 *)(r2 + 0)
    *(u32 *)(r7 + 72) = r5
    r5 += {added}
    *(u32 *)(r2 + 0) = r5
out:
    {write_length}
    r0 = {verdict}
    exit
"""


def changing(added: int = 0, length: int | None = None, verdict: int = 1) -> str:
    write = "" if length is None else f"r2 = {length}\n*(u32 *)(r6 + 32) = r2"
    return CHANGED.format(added=added, write_length=write, verdict=verdict)


@SETTINGS
@given(
    value=st.integers(1, 100),
    added=st.integers(0, 100),
    length=st.sampled_from([None, 0, 1, 4, 16, 17, 100, -1, -2, 4096, 4097]),
    verdict=st.integers(0, 1),
)
@example(value=7, added=3, length=None, verdict=1)
@example(value=7, added=3, length=-1, verdict=1)
@example(value=7, added=3, length=0, verdict=1)
def test_what_is_set_is_what_the_program_made_of_it(
    rig: Any,
    *,
    errno: Callable[..., int],
    note: Callable[..., str],
    value: int,
    added: int,
    length: int | None,
    verdict: int,
) -> None:
    program = rig.load(
        f"{note(KIND, *NUMBERS)}\n{changing(added, length, verdict)}", KIND, AttachType.CGROUP_SETSOCKOPT
    )
    key = (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    with socket.socket() as sock:
        before = sock.getsockopt(*key)
        real = errno(lambda: sock.setsockopt(*key, value))
        after = sock.getsockopt(*key)
    result = program.run(struct.pack("=i", value), ctx=SockOpt(level=key[0], optname=key[1]))
    kernel_seen, sim_seen = rig.seen()
    assert sim_seen == kernel_seen
    if length != 1:  # the kernel itself refuses what is shorter than an int
        assert result.ctx.retval == real
    if length == -1 or real:
        assert after == before
    else:
        assert after == struct.unpack_from("=i", result.data)[0]


def test_another_option_is_set_than_was_asked_for(rig: Any) -> None:
    code = "r2 = 1\n*(u32 *)(r6 + 24) = r2\nr2 = 36\n*(u32 *)(r6 + 28) = r2\nr0 = 1\nexit"
    program = rig.load(code, KIND, AttachType.CGROUP_SETSOCKOPT)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 5)
        mark, priority = (sock.getsockopt(socket.SOL_SOCKET, name) for name in (socket.SO_MARK, socket.SO_PRIORITY))
    result = program.run(struct.pack("=i", 5), ctx=SockOpt(level=1, optname=12))
    assert (mark, priority) == (5, 0)
    assert (result.ctx.level, result.ctx.optname) == (socket.SOL_SOCKET, socket.SO_MARK)


@pytest.mark.parametrize("said", [None, 0, -42])
@pytest.mark.parametrize("verdict", [0, 1])
@pytest.mark.parametrize("length", [None, 1, 4, 5])
def test_what_is_read_is_what_the_program_made_of_it(
    rig: Any, *, errno: Callable[..., int], note: Callable[..., str], said: int | None, verdict: int, length: int | None
) -> None:
    say = "" if said is None else f"r2 = {said}\n*(u32 *)(r6 + 36) = r2\n"
    code = note(KIND, *NUMBERS, "retval") + "\n" + say + changing(1, length, verdict)
    key, read = (socket.SOL_SOCKET, socket.SO_KEEPALIVE), list[bytes]()
    with socket.socket() as sock:
        true_value = sock.getsockopt(*key, 4)
        program = rig.load(code, KIND, AttachType.CGROUP_GETSOCKOPT)
        real = errno(lambda: read.append(sock.getsockopt(*key, 4)))
    result = program.run(true_value, ctx=SockOpt(level=key[0], optname=key[1]))
    assert result.ctx.retval == real
    assert ([result.data] if not real else []) == read
    kernel, sim = rig.seen()
    assert sim == kernel


CALLS = """
    r2 = {value} ll
    *(u64 *)(r10 - 8) = r2
    r1 = r6
    r2 = {level}
    r3 = {name}
    r4 = r10
    r4 += -8
    r5 = {size}
    call bpf_setsockopt
    *(u64 *)(r7 + 0) = r0
    r1 = -1 ll
    *(u64 *)(r10 - 16) = r1
    r1 = r6
    r2 = {level}
    r3 = {name}
    r4 = r10
    r4 += -16
    r5 = {size}
    call bpf_getsockopt
    *(u64 *)(r7 + 8) = r0
    r1 = *(u64 *)(r10 - 16)
    *(u64 *)(r7 + 16) = r1
    r0 = 1
    exit
"""
DEPENDS = {
    "TCP_MAXSEG",
    "TCP_RTO_MAX_MS",
    "TCP_BPF_DELACK_MAX",
    "TCP_BPF_RTO_MIN",
    "SO_RCVLOWAT",
    "SO_SNDBUF",
    "SO_RCVBUF",
}
"""Options whose value hangs on the connection's path, the machine's settings, or the length of the kernel's tick."""
KEYS = sorted((int(level), name) for (level, name), option in OPTIONS.items() if option.name not in DEPENDS)
UNKNOWN = [(1, 3), (1, 1000), (6, 3), (6, 999), (0, 2), (41, 1), (17, 1), (2, 1)]


def own_congestion_control() -> bytes:
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_bytes().strip()


@pytest.mark.parametrize("version", [4, 6])
@settings(SETTINGS, max_examples=80)
@given(key=st.sampled_from(KEYS + UNKNOWN), value=INTS, size=st.sampled_from([4, 4, 4, 4, 4, 1, 3, 8]))
@example(key=(6, 13), value=int.from_bytes(b"reno\0\0\0\0", sys.byteorder), size=8)
@example(key=(6, 13), value=int.from_bytes(b"none\0\0\0\0", sys.byteorder), size=8)
@example(key=(6, 13), value=0, size=1)
@example(key=(1, 25), value=int.from_bytes(b"lo\0\0\0\0\0\0", sys.byteorder), size=8)
@example(key=(1, 25), value=int.from_bytes(b"nowhere\0", sys.byteorder), size=8)
def test_a_program_sets_and_reads_options_of_the_socket(
    rig: Any, *, errno: Callable[..., int], version: int, key: tuple[int, int], value: int, size: int
) -> None:
    place = AttachType[f"CGROUP_INET{version}_CONNECT"]
    family, where = (socket.AF_INET, "127.0.0.1") if version == 4 else (socket.AF_INET6, "::1")
    code = CALLS.format(level=key[0], name=key[1], value=value & ((1 << 64) - 1), size=size)
    program = rig.load(code, ProgType.CGROUP_SOCK_ADDR, place)
    with socket.socket(family) as sock:
        errno(lambda: sock.connect((where, 9)))
    sock_sim = rig.sim.world.add_socket("tcp", (where, 0), state="close")
    sock_sim.options[CONGESTION] = own_congestion_control()
    program.run(ctx=SockAddr(user_family=family, family=family, type=1, protocol=6, sk=sock_sim))
    kernel_seen, sim_seen = rig.seen()
    in_kernel, in_sim = (struct.unpack_from("=3q", seen) for seen in (kernel_seen, sim_seen))
    what = slice(None) if in_kernel[0] == 0 else slice(2)  # what was not set is as the machine has it
    assert in_sim[what] == in_kernel[what]


@pytest.mark.parametrize("name", [7, 8])
def test_buffers_are_doubled_and_have_a_least_size(simulated: Lab, name: int) -> None:
    simulated.map("array", key="u32", value=256, max_entries=1, name="seen")
    sock = simulated.world.add_socket("tcp", state="close")
    found = []
    for value in (0, 5000):
        first = int.from_bytes(struct.pack("=I4x", value), sys.byteorder)
        text = "r6 = r1\nr7 = map[name:seen][0]+0\n" + CALLS.format(level=Level.SOCKET, name=name, value=first, size=4)
        program = simulated.program(text, type="cgroup_sock_addr", expected_attach_type=AttachType.CGROUP_INET4_CONNECT)
        program.run(ctx=SockAddr(sk=sock))
        found.append(struct.unpack_from("=I", bytes(simulated.maps["seen"][0]), 16)[0])
    assert found[0] in {4608, 2304}
    assert found[1] == 10_000


def test_a_length_below_zero_is_explained(simulated: Lab) -> None:
    program = simulated.program("r0 = 1\nexit", type=KIND, expected_attach_type=AttachType.CGROUP_SETSOCKOPT)
    with pytest.raises(InputError, match="expected a length"):
        program.run(b"1234", ctx=SockOpt(optlen=-5))
