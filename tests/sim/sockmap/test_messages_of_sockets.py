"""Messages that sockets send are judged, changed and redirected alike by a real sockmap and by simulated runs."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.verdicts import SK
from bpflab.backend.select import kernel_refusal
from bpflab.contexts import SkMsg, SkSkb
from bpflab.sim.events import SocketRedirect

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEEN = 512
MAPS = {"seen": ("array", SEEN, 1), "socks": ("sockmap", "u64", 4), "hash": ("sockhash", "u64", 4)}


@dataclass(frozen=True)
class Wire:
    """Two connections of the running kernel, of which the first client's socket is in the maps at 0, and both Labs."""

    kernel: Lab
    sim: Lab
    client: socket.socket
    server: socket.socket
    other: socket.socket
    other_server: socket.socket

    def load(self, code: str, kind: str, place: AttachType) -> tuple[Any, Any]:
        text = f"r6 = r1\nr7 = map[name:seen][0]+0\n{code}"
        first, second = (
            lab.program(text, type=kind, expected_attach_type=place, name="judge") for lab in (self.kernel, self.sim)
        )
        return first, second

    def seen(self) -> tuple[bytes, bytes]:
        kernel, sim = (bytes(lab.maps["seen"][0]) for lab in (self.kernel, self.sim))
        return kernel, sim

    def forget(self) -> None:
        for lab in (self.kernel, self.sim):
            lab.maps["seen"][0] = bytes(SEEN)


@pytest.fixture
def wire() -> Iterator[Wire]:
    if refusal := kernel_refusal():
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim, socket.create_server(("127.0.0.1", 0)) as listener:
        for lab in (kernel, sim):
            for name, (kind, value, count) in MAPS.items():
                lab.map(kind, key="u32", value=value, max_entries=count, name=name)
        ends = []
        for _ in range(2):
            client = socket.create_connection(listener.getsockname())
            server, _address = listener.accept()
            ends += [client, server]
        for end in ends:
            end.settimeout(0.3)
        kernel.maps["socks"][1] = kernel.maps["hash"][1] = ends[2].fileno()
        sock = sim.world.add_socket("tcp", ("127.0.0.1", 1), ("127.0.0.1", 2))
        sim.maps["socks"][1] = sim.maps["hash"][1] = sock.cookie
        yield Wire(kernel, sim, *ends)
        for end in ends:
            end.close()


def received(end: socket.socket, size: int) -> bytes:
    """Return what arrives, up to so many bytes."""
    found = b""
    try:
        while len(found) < size and (more := end.recv(65536)):
            found += more
    except TimeoutError:
        pass
    return found


CALL = """
    r1 = r6
    r2 = {first}
    r3 = {second}
    r4 = {flags}
    call bpf_msg_{name}_data
    *(u64 *)(r7 + {at}) = r0
    r2 = *(u64 *)(r6 + 0)
    r3 = *(u64 *)(r6 + 8)
    r4 = r3
    r4 -= r2
    *(u64 *)(r7 + {at} + 8) = r4
    r4 = *(u32 *)(r6 + 68)
    *(u64 *)(r7 + {at} + 16) = r4
"""
FILL = """
    r1 = r6
    r2 = {start}
    r3 = {end}
    r4 = 0
    call bpf_msg_pull_data
    r2 = *(u64 *)(r6 + 0)
    r3 = *(u64 *)(r6 + 8)
    r4 = r2
    r4 += {size}
    if r4 > r3 goto skip{at}
    {stores}
skip{at}:
"""
MARK = """
    r2 = *(u64 *)(r6 + 0)
    r3 = *(u64 *)(r6 + 8)
    r4 = r2
    r4 += 1
    if r4 > r3 goto unmarked{at}
    r5 = {letter}
    *(u8 *)(r2 + 0) = r5
unmarked{at}:
"""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["push", "push", "pop", "pop", "pull"]),
        st.sampled_from([0, 0, 1, 2, 3, 5, 8, 10, 11, 12, 13, 20]),
        st.sampled_from([0, 1, 2, 3, 4, 7, 12, 13]),
        st.sampled_from([0, 0, 0, 0, 1]),
    ),
    min_size=1,
    max_size=6,
)


def steps_code(steps: list[tuple[str, int, int, int]]) -> str:
    """Write code that makes each call, fills what was pushed, and marks the first byte that it then sees."""
    lines = []
    for number, (name, first, second, flags) in enumerate(steps):
        at = 32 * number
        end = first + second if name == "pull" else second
        lines.append(CALL.format(name=name, first=first, second=end, flags=flags, at=at).replace(f"{at} + ", f"{at}+"))
        if name == "push" and second and not flags:
            stores = "\n".join(f"r5 = {97 + number}\n*(u8 *)(r2 + {each}) = r5" for each in range(second))
            lines.append(f"r8 = *(u64 *)(r7 + {at})\nif r8 != 0 goto skip{at}")
            lines.append(FILL.format(start=first, end=first + second, size=second, stores=stores, at=at))
        lines.append(MARK.format(at=at, letter=65 + number))
    text = "\n".join(lines)
    for at in range(0, 32 * len(steps), 32):
        text = text.replace(f"(r7 + {at}+8)", f"(r7 + {at + 8})").replace(f"(r7 + {at}+16)", f"(r7 + {at + 16})")
    return f"{text}\nr0 = 1\nexit"


@SETTINGS
@given(steps=STEPS, size=st.sampled_from([1, 10, 13, 1000]))
@example(steps=[("push", 0, 4, 0)], size=10)
@example(steps=[("push", 10, 4, 0)], size=10)
@example(steps=[("push", 3, 4, 0), ("pop", 2, 4, 0), ("pull", 1, 7, 0)], size=10)
@example(steps=[("push", 3, 4, 0), ("push", 5, 2, 0), ("push", 8, 2, 0), ("pull", 0, 12, 0)], size=13)
@example(steps=[("pop", 0, 10, 0)], size=10)
@example(steps=[("pop", 0, 1, 0), ("pull", 0, 12, 0), ("pop", 11, 1, 0)], size=13)
def test_a_message_is_changed_alike(wire: Wire, steps: list[tuple[str, int, int, int]], size: int) -> None:
    kernel, sim = wire.load(steps_code(steps), "sk_msg", AttachType.SK_MSG_VERDICT)
    link = wire.kernel.attach(kernel, wire.kernel.maps["socks"])
    wire.forget()
    message = (b"0123456789" * 100)[:size]
    wire.kernel.maps["socks"][0] = wire.client.fileno()
    result = sim.run(message, ctx=SkMsg())
    if result.data:
        wire.client.sendall(message)
        assert received(wire.server, len(result.data)) == result.data
        assert wire.seen()[1] == wire.seen()[0]
    del wire.kernel.maps["socks"][0]
    link.close()


VERDICT = """
    r1 = r6
    r2 = map[name:{map}]
    r3 = {key}
    r4 = {flags}
    call bpf_{helper}
    *(u64 *)(r7 + 0) = r0
    exit
"""
HASH_VERDICT = "r3 = {number}\n*(u32 *)(r10 - 4) = r3\n" + VERDICT.replace("r3 = {key}", "r3 = r10\nr3 += -4")


def redirecting(helper: str, key: int, flags: int) -> str:
    if helper.endswith("hash"):
        return HASH_VERDICT.format(map="hash", number=key, flags=flags, helper=helper)
    return VERDICT.format(map="socks", key=key, flags=flags, helper=helper)


@pytest.mark.parametrize("helper", ["msg_redirect_map", "msg_redirect_hash"])
@pytest.mark.parametrize("key", [1, 2])
@pytest.mark.parametrize("flags", [0, 1, 2])
def test_a_message_goes_to_the_socket_that_was_chosen(wire: Wire, helper: str, key: int, flags: int) -> None:
    kernel, sim = wire.load(redirecting(helper, key, flags), "sk_msg", AttachType.SK_MSG_VERDICT)
    wire.kernel.attach(kernel, wire.kernel.maps["socks"])
    wire.kernel.maps["socks"][0] = wire.client.fileno()
    result = sim.run(b"hello")
    events = wire.sim.world.seen(SocketRedirect)
    ends = {0: wire.other_server, 1: wire.other}
    try:
        wire.client.sendall(b"hello")
        arrived = received(ends.get(flags, wire.other_server), 5)
    except PermissionError:
        arrived = b""
    assert arrived == b"".join(event.data for event in events)
    assert result.action is (SK.PASS if arrived else SK.DROP)
    assert [event.socket for event in events] == [wire.sim.world.sockets[0]] * bool(arrived)
    kernel_seen, sim_seen = wire.seen()
    assert sim_seen == kernel_seen


@pytest.mark.parametrize("verdict", [0, 1, 2])
def test_a_message_passes_as_the_program_says(wire: Wire, verdict: int) -> None:
    kernel, sim = wire.load(f"r0 = {verdict}\nexit", "sk_msg", AttachType.SK_MSG_VERDICT)
    wire.kernel.attach(kernel, wire.kernel.maps["socks"])
    wire.kernel.maps["socks"][0] = wire.client.fileno()
    try:
        wire.client.sendall(b"hello")
        arrived = received(wire.server, 5)
    except PermissionError:
        arrived = b""
    assert (sim.run(b"hello").action == SK.PASS) == (arrived == b"hello")


@pytest.mark.parametrize("helper", ["sk_redirect_map", "sk_redirect_hash"])
@pytest.mark.parametrize("key", [1, 2])
@pytest.mark.parametrize("flags", [0, 1, 2])
def test_received_bytes_go_to_the_socket_that_was_chosen(wire: Wire, helper: str, key: int, flags: int) -> None:
    see = """
        r2 = *(u32 *)(r6 + 76)
        r3 = *(u32 *)(r6 + 80)
        r3 -= r2
        *(u64 *)(r7 + 32) = r3
        r1 = r6
        r2 = 5
        call bpf_skb_pull_data
        r2 = *(u32 *)(r6 + 76)
        r3 = *(u32 *)(r6 + 80)
        r4 = r2
        r4 += 5
        if r4 > r3 goto short
        r5 = 72
        *(u8 *)(r2 + 0) = r5
        r5 = *(u32 *)(r2 + 1)
        *(u64 *)(r7 + 8) = r5
    short:
        r5 = *(u32 *)(r6 + 0)
        *(u64 *)(r7 + 16) = r5
        r5 = *(u32 *)(r6 + 88)
        *(u64 *)(r7 + 24) = r5
    """
    kernel, sim = wire.load(see + redirecting(helper, key, flags), "sk_skb", AttachType.SK_SKB_VERDICT)
    wire.kernel.attach(kernel, wire.kernel.maps["socks"], hook=AttachType.SK_SKB_VERDICT)
    wire.kernel.maps["socks"][0] = wire.server.fileno()
    result = sim.run(b"hello", ctx=SkSkb(family=socket.AF_INET))
    wire.client.sendall(b"hello")
    arrived = received({0: wire.other_server, 1: wire.other}.get(flags, wire.other_server), 5)
    assert arrived == b"".join(event.data for event in wire.sim.world.seen(SocketRedirect))
    assert result.action is (SK.PASS if arrived else SK.DROP)
    assert result.data == b"Hello"
    kernel_seen, sim_seen = wire.seen()
    assert sim_seen == kernel_seen


def test_a_parser_tells_where_a_message_ends(wire: Wire) -> None:
    parse = """
        r1 = r6
        r2 = 1
        call bpf_skb_pull_data
        r2 = *(u32 *)(r6 + 76)
        r3 = *(u32 *)(r6 + 80)
        r0 = 0
        r4 = r2
        r4 += 1
        if r4 > r3 goto out
        r0 = *(u8 *)(r2 + 0)
    out:
        exit
    """
    judge = """
        r2 = *(u32 *)(r6 + 0)
        r3 = *(u64 *)(r7 + 0)
        *(u64 *)(r7 + 8) = r3
        *(u64 *)(r7 + 0) = r2
        r0 = 1
        exit
    """
    parser, sim_parser = wire.load(parse, "sk_skb", AttachType.SK_SKB_STREAM_PARSER)
    verdict, sim_verdict = wire.load(judge, "sk_skb", AttachType.SK_SKB_STREAM_VERDICT)
    wire.kernel.attach(parser, wire.kernel.maps["socks"], hook=AttachType.SK_SKB_STREAM_PARSER)
    wire.kernel.attach(verdict, wire.kernel.maps["socks"], hook=AttachType.SK_SKB_STREAM_VERDICT)
    wire.kernel.maps["socks"][0] = wire.server.fileno()
    for message in (b"\3ab", b"\5cdef"):
        wire.client.sendall(message)
        assert received(wire.server, len(message)) == message
        assert sim_parser.run(message[:1] + b"more").retval == len(message)
        sim_verdict.run(message)
    kernel_seen, sim_seen = wire.seen()
    assert struct.unpack_from("=2q", sim_seen) == struct.unpack_from("=2q", kernel_seen) == (5, 3)


def test_what_was_asked_for_a_message_comes_back() -> None:
    code = "r6 = r1\nr2 = 100\ncall bpf_msg_apply_bytes\nr1 = r6\nr2 = 200\ncall bpf_msg_cork_bytes\nr0 = 1\nexit"
    with Lab("sim") as lab:
        result = lab.program(code, type="sk_msg").run(b"x", ctx=SkMsg())
        assert isinstance(result.ctx, SkMsg)
        assert (result.ctx.apply_bytes, result.ctx.cork_bytes, result.ctx.size) == (100, 200, 1)
