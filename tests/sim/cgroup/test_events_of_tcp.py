"""SOCK_OPS programs see events and TCP options alike on real connections and in simulated runs."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.tcp_events import SockOp, SockOpsFlag
from bpflab.contexts import SockOps
from bpflab.errors import InputError

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KIND, PLACE = ProgType.SOCK_OPS, AttachType.CGROUP_SOCK_OPS
EEXIST = 17
EVENTS = SockOpsFlag.WRITE_HDR_OPT | SockOpsFlag.PARSE_ALL_HDR_OPT
ASK = f"r1 = r6\nr2 = {int(EVENTS) | 0x100}\ncall bpf_sock_ops_cb_flags_set"
SEGMENTS = """
    r2 = *(u32 *)(r6 + 0)
    if r2 == {connect} goto ask
    if r2 == {listen} goto ask
    if r2 == {length} goto length
    if r2 == {write} goto write
    if r2 == {parse} goto parse
    r0 = 1
    exit
ask:
    {ask}
    *(u64 *)(r7 + 0) = r0
    r0 = 1
    exit
length:
    r1 = r6
    r2 = {reserved}
    r3 = {flags}
    call bpf_reserve_hdr_opt
    *(u64 *)(r7 + 8) = r0
    r0 = 1
    exit
write:
    {store}
    *(u64 *)(r7 + 16) = r0
    {store}
    *(u64 *)(r7 + 24) = r0
    r0 = 1
    exit
parse:
    r2 = {search} ll
    *(u64 *)(r10 - 8) = r2
    r2 = 0
    *(u64 *)(r10 - 16) = r2
    r2 = {search} ll
    *(u64 *)(r10 - 16) = r2
    r1 = r6
    r2 = r10
    r2 += -16
    r3 = {room}
    r4 = 0
    call bpf_load_hdr_opt
    *(u64 *)(r7 + 32) = r0
    r2 = *(u64 *)(r10 - 16)
    *(u64 *)(r7 + 40) = r2
    r0 = 1
    exit
"""
STORE = """
    r2 = {option} ll
    *(u64 *)(r10 - 8) = r2
    r1 = r6
    r2 = r10
    r2 += -8
    r3 = {size}
    r4 = {flags}
    call bpf_store_hdr_opt
"""


def number(content: bytes) -> int:
    return int.from_bytes(content.ljust(8, b"\0"), sys.byteorder)


def header(options: bytes = b"", flags: int = 0x10) -> bytes:
    """Give a TCP header with options, padded by zeros, which end them."""
    words = (20 + len(options) + 3) // 4
    return struct.pack("!HHIIBBHHH", 1000, 80, 1, 2, words << 4, flags, 100, 0, 0) + options.ljust(
        words * 4 - 20, b"\0"
    )


def answers(seen: bytes) -> tuple[int, ...]:
    return struct.unpack_from("=6q", seen)


OPTIONS = st.sampled_from(
    [
        b"\xfe\4\xab\xcd",
        b"\xfe\6\xab\xcdhi",
        b"\xfd\4zz",
        b"\x51\4hi",
        b"\x51\2",
        b"\1",
        b"\0",
        b"\xfe\3\1",
        b"\x51\7abcd",
    ]
)


@SETTINGS
@given(
    option=OPTIONS,
    size=st.sampled_from([1, 2, 4, 6, 8]),
    reserved=st.sampled_from([0, 1, 2, 4, 6, 8, 41]),
    flags=st.sampled_from([0, 0, 0, 1]),
    search=st.sampled_from(
        [b"\xfe\4\xab\xcd", b"\xfe\4\xab\xce", b"\xfd\4zz", b"\x51", b"\x51\1", b"\2", b"\1", b"\xfe\3\1", b"\x52"]
    ),
    room=st.sampled_from([1, 2, 3, 4, 8]),
)
@example(option=b"\xfe\6\xab\xcdhi", size=8, reserved=8, flags=0, search=b"\xfe\4\xab\xcd", room=8)
@example(option=b"\x51\4hi", size=4, reserved=4, flags=0, search=b"\x51", room=3)
def test_options_are_reserved_written_and_found_alike(
    rig: Any, *, option: bytes, size: int, reserved: int, flags: int, search: bytes, room: int
) -> None:
    code = SEGMENTS.format(
        connect=int(SockOp.TCP_CONNECT_CB),
        listen=int(SockOp.TCP_LISTEN_CB),
        length=int(SockOp.HDR_OPT_LEN_CB),
        write=int(SockOp.WRITE_HDR_OPT_CB),
        parse=int(SockOp.PARSE_HDR_OPT_CB),
        ask=ASK,
        store=STORE.format(option=number(option), size=size, flags=flags),
        reserved=reserved,
        flags=flags,
        search=number(search),
        room=room,
    )
    program = rig.load(code, KIND, PLACE)
    rig.forget()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        client.sendall(b"x")
        accepted.recv(1)
        rig.links.pop().close()
        accepted.close()
    kernel = answers(rig.seen()[0])
    program.run(ctx=SockOps(op=SockOp.TCP_CONNECT_CB, is_fullsock=1))
    program.run(send(program), ctx=SockOps(op=SockOp.PARSE_HDR_OPT_CB, is_fullsock=1))
    assert answers(rig.seen()[1]) == kernel


def send(program: Any) -> bytes:
    """Have a segment with time stamps made as the kernel does: options are reserved, then written."""
    timestamps = header(b"\1\1\x08\x0a" + bytes(8))
    free = 40 - 12
    length = program.run(timestamps, ctx=SockOps(op=SockOp.HDR_OPT_LEN_CB, is_fullsock=1, remaining_opt_len=free))
    room = -(-(free - length.ctx.remaining_opt_len) // 4) * 4
    if not room:
        return timestamps
    written = program.run(timestamps, ctx=SockOps(op=SockOp.WRITE_HDR_OPT_CB, is_fullsock=1, remaining_opt_len=room))
    return bytes(written.data)


def run(lab: Lab, code: str, data: bytes, **fields: Any) -> Any:
    """Run code that finds its context in r6."""
    program = lab.program(f"r6 = r1\n{code}", type="sock_ops")
    return program.run(data, ctx=SockOps(**fields))


def test_an_option_is_written_behind_the_others(simulated: Lab) -> None:
    store = STORE.format(option=number(b"\xfe\6\xab\xcdhi"), size=8, flags=0)
    given_options = b"\1\1\x08\x0a" + bytes(8)
    result = run(
        simulated,
        f"{store}r0 = 1\nexit",
        header(given_options),
        op=SockOp.WRITE_HDR_OPT_CB,
        is_fullsock=1,
        remaining_opt_len=8,
    )
    assert result.data[20:] == given_options + b"\xfe\6\xab\xcdhi" + b"\1\1"
    assert result.data[12] >> 4 == (20 + 12 + 8) // 4
    assert result.ctx.remaining_opt_len == 2


FULL = ("snd_cwnd", "srtt_us", "rtt_min", "snd_nxt", "bytes_acked", "state", "family")


@pytest.mark.parametrize("op", [SockOp.RTT_CB, SockOp.TSTAMP_ACK_CB])
@pytest.mark.parametrize("full", [0, 1])
def test_numbers_of_tcp_are_those_of_full_sockets(simulated: Lab, op: SockOp, full: int) -> None:
    sock = simulated.world.add_socket(
        "tcp", ("10.0.0.1", 80), ("10.0.0.2", 9), tcp={"snd_cwnd": 10, "srtt_us": 80, "rtt_min": 3}
    )
    result = run(simulated, "r0 = *(u32 *)(r6 + 76)\nr0 = 1\nexit", b"", op=op, is_fullsock=full, sk=sock)
    seen = {name: getattr(result.ctx, name) for name in ("snd_cwnd", "srtt_us", "rtt_min", "state")}
    locked = full and op is SockOp.RTT_CB
    assert seen == {"snd_cwnd": 10 * locked, "srtt_us": 80 * locked, "rtt_min": 3, "state": 1}


@pytest.mark.parametrize("full", [0, 1])
def test_the_reply_comes_back(simulated: Lab, full: int) -> None:
    result = run(
        simulated, "r2 = 77\n*(u32 *)(r6 + 4) = r2\n*(u32 *)(r6 + 164) = r2\nr0 = 1\nexit", b"", op=1, is_fullsock=full
    )
    assert (result.ctx.reply, result.ctx.sk_txhash) == (77, 77 * full)


def test_a_program_sees_the_header_of_its_segment(simulated: Lab) -> None:
    code = """
        r0 = 0
        r2 = *(u64 *)(r6 + 192)
        r3 = *(u64 *)(r6 + 200)
        r4 = r2
        r4 += 20
        if r4 > r3 goto out
        r5 = *(u16 *)(r2 + 2)
        r1 = *(u32 *)(r6 + 212)
        r5 = be16 r5
        if r5 != 80 goto out
        if r1 != 18 goto out
        r0 = 1
    out:
        exit
    """
    data = header(flags=0x12) + b"payload"
    assert run(simulated, code, data, op=SockOp.PARSE_HDR_OPT_CB, is_fullsock=1).retval == 1
    assert run(simulated, code, b"", op=SockOp.PARSE_HDR_OPT_CB, is_fullsock=1).retval == 0


def test_a_connection_that_is_established_goes_into_a_map(rig: Any) -> None:
    code = f"""
        r2 = *(u32 *)(r6 + 0)
        if r2 != {int(SockOp.ACTIVE_ESTABLISHED_CB)} goto out
        r2 = 1
        *(u32 *)(r10 - 4) = r2
        r1 = r6
        r2 = map[name:socks]
        r3 = r10
        r3 += -4
        r4 = 1
        call bpf_sock_map_update
        *(u64 *)(r7 + 0) = r0
        r1 = r6
        r2 = map[name:socks]
        r3 = r10
        r3 += -4
        r4 = 1
        call bpf_sock_map_update
        *(u64 *)(r7 + 8) = r0
    out:
        r0 = 1
        exit
    """
    for lab in rig.labs:
        lab.map("sockmap", key="u32", value="u64", max_entries=2, name="socks")
    program = rig.load(code, KIND, PLACE)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert rig.kernel.maps["socks"][1]
    sock = rig.sim.world.add_socket("tcp", ("127.0.0.1", 9), ("127.0.0.1", 80))
    program.run(ctx=SockOps(op=SockOp.ACTIVE_ESTABLISHED_CB, is_fullsock=1, sk=sock))
    assert rig.sim.maps["socks"][1] == sock.cookie
    kernel, sim = rig.seen()
    assert answers(sim)[:2] == answers(kernel)[:2] == (0, -EEXIST)


FACTS = (
    "op",
    "family",
    "local_ip4",
    "remote_ip6",
    "local_ip6",
    "remote_port",
    "local_port",
    "is_fullsock",
    "state",
)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("op", [SockOp.ACTIVE_ESTABLISHED_CB, SockOp.PASSIVE_ESTABLISHED_CB])
def test_an_event_shows_the_ends_of_its_connection(rig: Any, note: Callable[..., str], host: str, op: SockOp) -> None:
    also = [] if ":" in host else ["remote_ip4"]
    code = f"r2 = *(u32 *)(r6 + 0)\nif r2 != {int(op)} goto out\n{note(KIND, *FACTS, *also)}\nout:\nr0 = 1\nexit"
    program = rig.load(code, KIND, PLACE)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as server,
        socket.create_connection(server.getsockname()[:2]) as client,
    ):
        server.accept()[0].close()
        own, other = client.getsockname()[:2], server.getsockname()[:2]
    active = op is SockOp.ACTIVE_ESTABLISHED_CB
    ends = (own, other) if active else (other, own)
    sock = rig.sim.world.add_socket("tcp", *ends, state="established" if active else "syn_recv")
    program.run(ctx=SockOps(op=op, is_fullsock=1, sk=sock))
    kernel, sim = rig.seen()
    assert sim == kernel


@pytest.mark.parametrize(
    ("data", "fields", "said"),
    [
        (bytes(20), {}, "segment from its TCP header"),
        (header()[:19], {}, "segment from its TCP header"),
        (header(bytes(40)), {"op": SockOp.WRITE_HDR_OPT_CB, "remaining_opt_len": 4}, "60 at most"),
        (b"", {"sk": 5}, "no socket of the simulated world"),
    ],
)
def test_a_wrong_input_is_explained(simulated: Lab, data: bytes, fields: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        run(simulated, "r0 = 1\nexit", data, is_fullsock=1, **fields)
