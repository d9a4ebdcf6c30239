"""SYN cookies: sizes and errors as the running kernel's; a cookie is accepted by the kernel that made it."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.programs.program import Program
from bpflab.sim.backend import SimBackend

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LISTENERS = (
    {"protocol": "tcp", "address": "10.0.0.1", "port": 80},
    {"protocol": "tcp", "address": "::", "port": 81},
    {"protocol": "tcp", "address": "::", "port": 82, "v6only": True},
    {"protocol": "udp", "address": "10.0.0.1", "port": 80},
)
CONNECTIONS = ()
TABLES = {4: (536, 1300, 1440, 1460), 6: (1220, 1420, 1440, 8940)}
LOAD = """
    r6 = r1
    r2 = 0
    r3 = r10
    r3 += -200
    r4 = 140
    call bpf_skb_load_bytes
"""
SHOW = """
    r7 = r0
    if r0 s< 0 goto out
    *(u32 *)(r10 - 8) = r0
    r7 >>= 32
    r1 = r6
    r2 = 100
    r3 = r10
    r3 += -8
    r4 = 4
    r5 = 0
    call bpf_skb_store_bytes
out:
    r0 = r7
    exit
"""
RAW_MAKE = (
    LOAD + "r1 = r10\nr1 += -200\nr2 = r10\nr2 += -160\nr3 = {size}\ncall bpf_tcp_raw_gen_syncookie_ipv{version}" + SHOW
)
RAW_CHECK = LOAD + "r1 = r10\nr1 += -200\nr2 = r10\nr2 += -160\ncall bpf_tcp_raw_check_syncookie_ipv{version}\nexit"
WITH_LISTENER = (
    LOAD
    + """
    r1 = r6
    r2 = r10
    r2 += -96
    r3 = {tuple}
    r4 = -1
    r5 = 0
    call bpf_sk{lookup}
    if r0 == 0 goto none
    r8 = r0
    r1 = r0
    r2 = r10
    r2 += -200
    r3 = {ip_size}
    r4 = r10
    r4 += -160
    r5 = {size}
    call bpf_tcp_{what}_syncookie
    r9 = r0
    r1 = r8
    call bpf_sk_release
    r0 = r9
    goto found
none:
    r0 = -1000
found:
"""
)


def header(version: int) -> bytes:
    if version == 4:
        return bytes([0x45]) + bytes(11) + bytes([9, 9, 9, 9]) + bytes([10, 0, 0, 1])
    return bytes([version << 4]) + bytes(7) + bytes(range(32))


def segment(words: int, flags: int, seq: int, ack: int, options: bytes) -> bytes:
    fixed = struct.pack("!HHIIBBHHH", 999, 80, seq, ack, words << 4, flags, 1000, 0, 0)
    return (fixed + options).ljust(60, b"\0")[:60]


def packet(version: int, tcp: bytes, lookup: bytes = b"") -> bytes:
    return (header(version).ljust(40, b"\0") + tcp + b"\0\0\0\0" + lookup).ljust(160, b"\0")


@cache
def program(lab: Lab, code: str) -> Program:
    return lab.program(code, type="sched_cls", license="GPL")


@st.composite
def options(draw: st.DrawFn) -> bytes:
    size = st.sampled_from([0, 1, 535, 536, 1219, 1220, 1300, 1420, 1439, 1440, 1460, 8940, 65535])
    mss = size.map(lambda value: struct.pack("!BBH", 2, 4, value))
    each = mss | st.sampled_from([b"\1", b"\0", b"\3\3\7", b"\2\3\5", b"\4\2", b"\5\1", b"\6"]) | st.binary(max_size=3)
    return b"".join(draw(st.lists(each, max_size=6)))[:40]


@pytest.mark.parametrize("version", [4, 6])
@SETTINGS
@given(
    size=st.sampled_from([0, 16, *range(20, 64, 4)]),
    words=st.none() | st.integers(0, 15),
    seq=st.integers(0, 2**32 - 1),
    option=options(),
)
@example(size=20, words=None, seq=0, option=b"")
@example(size=24, words=None, seq=2**32 - 1, option=b"\2\4\5\xb4")
def test_a_raw_cookie_stands_for_the_same_segment_size(
    pair: Any,
    version: int,
    *,
    size: int,
    words: int | None,
    seq: int,
    option: bytes,
) -> None:
    tcp = segment(size // 4 if words is None else words, 2, seq, 0, option)
    code = RAW_MAKE.format(size=size, version=version)
    verdicts = []
    for lab in (pair.kernel, pair.sim):
        made = program(lab, code).run(packet(version, tcp))
        verdicts.append(made.retval)
        if made.retval in TABLES[version]:
            cookie = struct.unpack_from("=I", made.data, 100)[0]
            answer = segment(5, 16, (seq + 1) % 2**32, (cookie + 1) % 2**32, b"")
            wrong = segment(5, 16, (seq + 1) % 2**32, (cookie + (1 << 30)) % 2**32, b"")
            check = program(lab, RAW_CHECK.format(version=version))
            assert check.run(packet(version, answer)).retval == 0
            assert check.run(packet(version, wrong)).retval == 2**32 - 13
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize("version", [4, 6])
def test_a_segment_size_is_rounded_down_to_one_of_the_table(pair: Any, version: int) -> None:
    borders = sorted({size + step for table in TABLES.values() for size in table for step in (-1, 0, 1)})
    code = RAW_MAKE.format(size=24, version=version)
    for wanted in borders:
        tcp = segment(6, 2, 0, 0, struct.pack("!BBH", 2, 4, wanted))
        kernel, sim = (program(lab, code).run(packet(version, tcp)).retval for lab in (pair.kernel, pair.sim))
        assert sim == kernel, wanted


def test_a_cookie_is_accepted_for_two_minutes() -> None:
    with Lab("sim") as lab:
        assert isinstance(lab.backend, SimBackend)
        made = program(lab, RAW_MAKE.format(size=20, version=4)).run(packet(4, segment(5, 2, 7, 0, b"")))
        cookie = struct.unpack_from("=I", made.data, 100)[0]
        check, answer = program(lab, RAW_CHECK.format(version=4)), packet(4, segment(5, 16, 8, cookie + 1, b""))
        verdicts = []
        for _ in range(3):
            verdicts.append(check.run(answer).retval)
            lab.backend.kernel.clock.advance(seconds=60)
        assert verdicts == [0, 0, 2**32 - 13]


TUPLES = {
    "IPv4 listener": bytes([9, 9, 9, 9, 10, 0, 0, 1]) + struct.pack("!2H", 999, 80),
    "listener of both": bytes([9, 9, 9, 9, 10, 0, 0, 1]) + struct.pack("!2H", 999, 81),
    "IPv6 listener": bytes(31) + b"\1" + struct.pack("!2H", 999, 82),
}


@pytest.mark.parametrize("listener", TUPLES)
@SETTINGS
@given(
    what=st.sampled_from(["gen", "check"]),
    facts=st.tuples(st.sampled_from([0, 4, 5, 6]), st.sampled_from([20, 40]), st.integers(0, 255)),
    size=st.sampled_from([4, 20, 24]),
    words=st.sampled_from([5, 6]),
)
@example(what="gen", facts=(4, 20, 2), size=20, words=5)
@example(what="gen", facts=(6, 40, 2), size=24, words=6)
@example(what="check", facts=(4, 20, 16), size=20, words=5)
@example(what="gen", facts=(6, 20, 2), size=20, words=5)
def test_a_listener_makes_and_checks_cookies_alike(
    both_with_sockets: tuple[Lab, Lab],
    listener: str,
    *,
    what: str,
    facts: tuple[int, int, int],
    size: int,
    words: int,
) -> None:
    raw, (version, ip_size, flags) = TUPLES[listener], facts
    code = WITH_LISTENER.format(tuple=len(raw), lookup="_lookup_tcp", ip_size=ip_size, size=size, what=what)
    code += SHOW if what == "gen" else "exit"
    given_packet = packet(version, segment(words, flags, 1, 2, b"\2\4\5\xb4"), raw)
    kernel, sim = (program(lab, code).run(given_packet).retval for lab in both_with_sockets)
    assert sim == kernel


@pytest.fixture(autouse=True)
def _always(both_with_sockets: tuple[Lab, Lab]) -> None:
    from pathlib import Path

    Path("/proc/sys/net/ipv4/tcp_syncookies").write_text("2")
    backend = both_with_sockets[1].backend
    assert isinstance(backend, SimBackend)
    backend.kernel.world.tcp_syncookies = 2
