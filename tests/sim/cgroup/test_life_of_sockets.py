"""Programs on sockets that are made, bound and released see and change the same simulated as under system calls."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.contexts import Sock, SockAddr

KIND = ProgType.CGROUP_SOCK
KINDS = [
    (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP),
    (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP),
    (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP),
]
FACTS = ("family", "type", "protocol", "mark", "priority", "bound_dev_if")
CHANGE = "r2 = 7\n*(u32 *)(r6 + 16) = r2\nr2 = 3\n*(u32 *)(r6 + 20) = r2\nr2 = 1\n*(u32 *)(r6 + 0) = r2\n"


@pytest.mark.parametrize(("family", "kind", "protocol"), KINDS)
def test_a_new_socket_has_what_the_program_gives_it(
    rig: Any, note: Callable[..., str], family: int, kind: int, protocol: int
) -> None:
    code = f"{note(KIND, *FACTS)}\n{CHANGE}r0 = 1\nexit"
    program = rig.load(code, KIND, AttachType.CGROUP_INET_SOCK_CREATE)
    with socket.socket(family, kind) as made:
        names = (socket.SO_MARK, socket.SO_PRIORITY, 62)
        real = tuple(made.getsockopt(socket.SOL_SOCKET, name) for name in names)
    result = program.run(ctx=Sock(family=family, type=kind, protocol=protocol))
    assert (result.ctx.mark, result.ctx.priority, result.ctx.bound_dev_if) == real == (7, 3, 1)
    kernel, sim = rig.seen()
    assert sim == kernel


@pytest.mark.parametrize("verdict", [0, 1])
def test_a_socket_is_made_as_the_program_allows(rig: Any, errno: Callable[..., int], verdict: int) -> None:
    program = rig.load(f"r0 = {verdict}\nexit", KIND, AttachType.CGROUP_INET_SOCK_CREATE)
    real = errno(lambda: socket.socket().close())
    assert program.run(ctx=Sock(family=2, type=1, protocol=6)).ctx.retval == real


@pytest.mark.parametrize(("host", "words"), [("127.0.0.1", "src_ip4"), ("::1", "src_ip6")])
@pytest.mark.parametrize("verdict", [0, 1])
def test_a_bound_socket_shows_its_address(
    rig: Any, note: Callable[..., str], errno: Callable[..., int], *, host: str, words: str, verdict: int
) -> None:
    version = 6 if ":" in host else 4
    place = AttachType[f"CGROUP_INET{version}_POST_BIND"]
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port = finder.getsockname()[1]
    code = f"{note(KIND, words, 'src_port', 'family', 'type')}\nr0 = {verdict}\nexit"
    program = rig.load(code, KIND, place)
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with socket.socket(family) as server:
        real = errno(lambda: server.bind((host, port)))
    given: dict[str, Any] = {words: host}
    result = program.run(ctx=Sock(**given, src_port=port, family=family, type=1))
    assert result.ctx.retval == real
    kernel, sim = rig.seen()
    assert sim == kernel


def test_an_address_program_reads_the_socket_behind_it(simulated: Lab) -> None:
    sock = simulated.world.add_socket("udp", ("10.0.0.1", 53), mark=9)
    program = simulated.program(
        "r2 = *(u64 *)(r1 + 64)\nr0 = *(u32 *)(r2 + 16)\nif r0 == 9 goto +1\nr0 = 0\nr0 &= 1\nexit",
        type="cgroup_sock_addr",
        expected_attach_type=AttachType.CGROUP_UDP4_SENDMSG,
    )
    assert program.run(ctx=SockAddr(sk=sock)).retval == 1
    assert program.run(ctx=SockAddr()).retval == 0


@pytest.mark.parametrize("helper", ["get_socket_cookie", "get_netns_cookie"])
def test_a_socket_has_a_cookie_from_the_start(rig: Any, helper: str) -> None:
    code = f"r1 = r6\ncall bpf_{helper}\nif r0 == 0 goto +2\nr2 = 1\n*(u64 *)(r7 + 0) = r2\nr0 = 1\nexit"
    program = rig.load(code, KIND, AttachType.CGROUP_INET_SOCK_CREATE)
    socket.socket().close()
    program.run(ctx=Sock(family=2, type=1, protocol=6))
    kernel, sim = rig.seen()
    assert sim == kernel
    assert kernel[0] == 1
