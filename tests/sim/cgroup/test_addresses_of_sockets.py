"""Programs on the addresses of sockets see and change the same in a simulated run as under a real system call."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.contexts import SockAddr
from bpflab.sim.events import Bind

KIND = ProgType.CGROUP_SOCK_ADDR
V4 = ("user_family", "user_ip4", "user_port", "family", "type", "protocol")
V6 = ("user_family", "user_ip6", "user_port", "family", "type", "protocol")
STREAM, DATAGRAM = (socket.SOCK_STREAM, socket.IPPROTO_TCP), (socket.SOCK_DGRAM, socket.IPPROTO_UDP)
ALLOW = "r0 = 1\nexit"


def network(port: int) -> int:
    """Return a port as it stands in a context: its two bytes in network order."""
    return int.from_bytes(port.to_bytes(2, "big"), sys.byteorder)


def address(text: str, port: int, kind: tuple[int, int], **more: Any) -> SockAddr:
    """Give the context of a system call with an address."""
    version = ip_address(text).version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    where: dict[str, Any] = {f"user_ip{version}": text, "user_port": network(port), "user_family": family}
    return SockAddr(**where, family=family, type=kind[0], protocol=kind[1], **more)


def given(context: Any, version: int = 4) -> tuple[str, int]:
    """Read the address of a context that came back."""
    words = context.user_ip4 if version == 4 else context.user_ip6
    words = words if isinstance(words, tuple) else (words,)
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return str(ip_address(packed)), int.from_bytes((context.user_port).to_bytes(4, sys.byteorder)[:2], "big")


def words(text: str) -> list[int]:
    packed = ip_address(text).packed
    return [int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4)]


def to(text: str, port: int) -> str:
    """Write code that puts another address into the context."""
    stores = [
        f"r2 = {word} ll\n*(u32 *)(r6 + {4 if ip_address(text).version == 4 else 8 + 4 * at}) = r2"
        for at, word in enumerate(words(text))
    ]
    return "\n".join([*stores, f"r2 = {network(port)}\n*(u32 *)(r6 + 24) = r2"])


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_connection_goes_where_the_program_says(rig: Any, note: Callable[..., str], listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    program = rig.load(f"{note(KIND, *V4)}\n{to('127.0.0.1', port)}\n{ALLOW}", KIND, AttachType.CGROUP_INET4_CONNECT)
    with socket.socket() as client:
        client.connect(("10.9.8.7", 77))
        peer = client.getpeername()
    result = program.run(ctx=address("10.9.8.7", 77, STREAM))
    assert given(result.ctx) == peer == ("127.0.0.1", port)
    kernel, sim = rig.seen()
    assert sim == kernel


def test_a_connection_by_ipv6_goes_where_the_program_says(rig: Any, note: Callable[..., str]) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        program = rig.load(f"{note(KIND, *V6)}\n{to('::1', port)}\n{ALLOW}", KIND, AttachType.CGROUP_INET6_CONNECT)
        with socket.socket(socket.AF_INET6) as client:
            client.connect(("2001:db8::7", 77))
            peer = client.getpeername()[:2]
    result = program.run(ctx=address("2001:db8::7", 77, STREAM))
    assert given(result.ctx, 6) == peer == ("::1", port)
    kernel, sim = rig.seen()
    assert sim == kernel


@pytest.mark.parametrize(("verdict", "said"), [(0, 0), (0, -113), (1, -113), (1, 0), (0, 5)])
def test_a_denied_connection_fails_with_the_same_errno(
    rig: Any, errno: Callable[..., int], listener: socket.socket, verdict: int, said: int
) -> None:
    say = f"r1 = {said}\ncall bpf_set_retval\n" if said else ""
    program = rig.load(f"{say}r0 = {verdict}\nexit", KIND, AttachType.CGROUP_INET4_CONNECT)
    with socket.socket() as client:
        real = errno(lambda: client.connect(listener.getsockname()))
    result = program.run(ctx=address("127.0.0.1", 77, STREAM))
    assert result.ctx.retval == real


def test_a_socket_is_bound_where_the_program_says(rig: Any, note: Callable[..., str]) -> None:
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port = finder.getsockname()[1]
    program = rig.load(f"{note(KIND, *V4)}\n{to('127.0.0.1', port)}\n{ALLOW}", KIND, AttachType.CGROUP_INET4_BIND)
    with socket.socket() as server:
        server.bind(("127.0.0.9", 80))
        own = server.getsockname()
    result = program.run(ctx=address("127.0.0.9", 80, STREAM))
    assert given(result.ctx) == own == ("127.0.0.1", port)
    kernel, sim = rig.seen()
    assert sim == kernel


@pytest.mark.parametrize("verdict", range(4))
def test_a_binding_is_judged_by_the_first_bit(rig: Any, errno: Callable[..., int], verdict: int) -> None:
    program = rig.load(f"r0 = {verdict}\nexit", KIND, AttachType.CGROUP_INET4_BIND)
    with socket.socket() as server:
        real = errno(lambda: server.bind(("127.0.0.1", 0)))
    assert program.run(ctx=address("127.0.0.1", 0, STREAM)).ctx.retval == real


def test_a_datagram_goes_where_the_program_says(rig: Any, note: Callable[..., str]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        there = receiver.getsockname()
        source = f"r2 = {words('127.0.0.3')[0]} ll\n*(u32 *)(r6 + 40) = r2"
        code = f"{note(KIND, *V4)}\n{to(*there)}\n{source}\n{ALLOW}"
        program = rig.load(code, KIND, AttachType.CGROUP_UDP4_SENDMSG)
        sender.sendto(b"hello", ("10.9.8.7", 53))
        data, origin = receiver.recvfrom(10)
    result = program.run(ctx=address("10.9.8.7", 53, DATAGRAM))
    assert (data, given(result.ctx)) == (b"hello", there)
    assert result.ctx.msg_src_ip4 == words(origin[0])[0] == words("127.0.0.3")[0]
    kernel, sim = rig.seen()
    assert sim == kernel


def test_a_datagram_comes_from_where_the_program_says(rig: Any, note: Callable[..., str]) -> None:
    code = f"{note(KIND, *V4)}\n{to('10.1.2.3', 99)}\n{ALLOW}"
    program = rig.load(code, KIND, AttachType.CGROUP_UDP4_RECVMSG)
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        sender.bind(("127.0.0.1", 0))
        own = sender.getsockname()
        sender.sendto(b"hello", receiver.getsockname())
        _, origin = receiver.recvfrom(10)
    result = program.run(ctx=address(own[0], own[1], DATAGRAM))
    assert given(result.ctx) == origin == ("10.1.2.3", 99)
    kernel, sim = rig.seen()
    assert sim == kernel


@pytest.mark.parametrize("name", ["getpeername", "getsockname"])
def test_a_socket_says_the_name_that_the_program_gives_it(
    rig: Any, note: Callable[..., str], listener: socket.socket, name: str
) -> None:
    place = AttachType[f"CGROUP_INET4_{name.upper()}"]
    with socket.create_connection(listener.getsockname()) as client:
        true_name = getattr(client, name)()
        program = rig.load(f"{note(KIND, *V4)}\n{to('10.1.2.3', 99)}\n{ALLOW}", KIND, place)
        told = getattr(client, name)()
    result = program.run(ctx=address(true_name[0], true_name[1], STREAM))
    assert given(result.ctx) == told == ("10.1.2.3", 99)
    kernel, sim = rig.seen()
    assert sim == kernel


BIND = f"""
    r2 = {socket.AF_INET}
    *(u64 *)(r10 - 16) = r2
    r2 = {words("127.0.0.5")[0]} ll
    *(u32 *)(r10 - 12) = r2
    r2 = 0
    *(u64 *)(r10 - 8) = r2
    *(u32 *)(r10 - 8) = r2
    r1 = r6
    r2 = r10
    r2 += -16
    r3 = {{length}}
    call bpf_bind
    *(u64 *)(r7 + 0) = r0
    r0 = 1
    exit
"""


@pytest.mark.parametrize("length", [1, 2, 15, 16])
def test_a_program_binds_the_socket_before_it_connects(rig: Any, listener: socket.socket, length: int) -> None:
    program = rig.load(BIND.format(length=length), KIND, AttachType.CGROUP_INET4_CONNECT)
    with socket.create_connection(listener.getsockname()) as client:
        source = client.getsockname()[0]
    sock = rig.sim.world.add_socket("tcp", state="close")
    where, port = listener.getsockname()
    program.run(ctx=address(where, port, STREAM, sk=sock))
    kernel, sim = rig.seen()
    assert sim == kernel
    assert [each.address for each in rig.sim.world.seen(Bind)] == ([source] if length == 16 else [])
    assert (source == "127.0.0.5") == (length == 16)


def test_ports_keep_sixteen_bits(simulated: Lab) -> None:
    code = (
        "r2 = 0x12345678\n*(u32 *)(r1 + 24) = r2\nr2 = *(u32 *)(r1 + 24)\nr0 = 0\nif r2 != 0x5678 goto +1\nr0 = 1\nexit"
    )
    program = simulated.program(code, type=KIND, expected_attach_type=AttachType.CGROUP_INET4_CONNECT)
    result = program.run(ctx=SockAddr())
    assert (result.retval, result.ctx.user_port) == (1, 0x5678)  # type: ignore[union-attr]  # a context came back


@pytest.mark.parametrize("said", [0, -113])
@pytest.mark.parametrize("verdict", [0, 1])
def test_a_program_learns_what_the_one_before_it_said(
    rig: Any, errno: Callable[..., int], listener: socket.socket, said: int, verdict: int
) -> None:
    place = AttachType.CGROUP_INET4_CONNECT
    before = rig.kernel.program(
        f"r1 = {said}\ncall bpf_set_retval\nr0 = 1\nexit", type=KIND, expected_attach_type=place, name="before"
    )
    rig.kernel.attach(before, str(rig.group), hook=place)
    code = f"call bpf_get_retval\n*(u64 *)(r7 + 0) = r0\nr0 = {verdict}\nexit"
    program = rig.load(code, KIND, place)
    with socket.socket() as client:
        real = errno(lambda: client.connect(listener.getsockname()))
    result = program.run(ctx=address("127.0.0.1", 77, STREAM, retval=said))
    kernel, sim = rig.seen()
    assert sim == kernel
    assert result.ctx.retval == real
