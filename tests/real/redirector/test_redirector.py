"""Service addresses for the programs of a cgroup, in the manner of real ones: simulated, and for real sockets."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.contexts import SockAddr
from bpflab.objects.loaded import LoadedObject

Address: TypeAlias = dict[str, object]
SOURCE = Path(__file__).parent / "redirector.bpf.c"
SERVICE, SERVICE6, OTHER = "10.96.0.1", "fd00::1", "192.0.2.9"
TCP, UDP = 6, 17
UNHEALTHY, CLOSED = 1, 1


def address(text: str, port: int, protocol: int = TCP) -> Address:
    packed = ipaddress.ip_address(text).packed
    words = [int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4)]
    family = 2 if len(packed) == 4 else 10
    return {"words": words + [0] * (4 - len(words)), "port": socket.htons(port), "protocol": protocol, "family": family}


def add_service(
    redirector: LoadedObject,
    service: dict[str, object],
    backends: list[dict[str, object]],
    first: int = 0,
    **fields: int,
) -> None:
    redirector.maps.services[service] = {"first": first, "count": len(backends), "flags": 0, "affinity": 0, **fields}
    for number, backend in enumerate(backends, first):
        redirector.maps.backends[number] = {"address": backend, "flags": 0, "connections": 0}


def connect(redirector: LoadedObject, text: str, port: int, program: str = "connect4") -> tuple[int, str, int]:
    """Run a connect to an address; whether it is allowed, and where it goes."""
    v6 = ":" in text
    given_ = {"user_ip6" if v6 else "user_ip4": text}
    protocol = UDP if "msg" in program else TCP
    ctx = SockAddr(user_family=10 if v6 else 2, user_port=socket.htons(port), protocol=protocol, **given_)
    result = redirector.programs[program].run(ctx=ctx)
    seen = result.ctx
    assert isinstance(seen, SockAddr)
    words = seen.user_ip6 if v6 else (seen.user_ip4,)
    assert isinstance(words, tuple)
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words if isinstance(word, int))
    port_after = seen.user_port
    assert isinstance(port_after, int)
    return result.retval, str(ipaddress.ip_address(packed)), socket.ntohs(port_after)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


@pytest.fixture
def redirector(lab: Lab) -> LoadedObject:
    loaded = lab.load(SOURCE)
    add_service(loaded, address(SERVICE, 80), [address(f"172.16.0.{number}", 8080) for number in range(1, 5)])
    add_service(loaded, address(SERVICE6, 80), [address("fd00:1::5", 8443)], first=8)
    return loaded


def test_a_connect_to_a_service_goes_to_one_of_its_backends(redirector: LoadedObject) -> None:
    allowed, where, port = connect(redirector, SERVICE, 80)
    assert (allowed, port) == (1, 8080)
    assert where in {f"172.16.0.{number}" for number in range(1, 5)}
    assert connect(redirector, SERVICE6, 80, "connect6") == (1, "fd00:1::5", 8443)


def test_what_is_no_service_goes_where_it_was_meant_to(redirector: LoadedObject) -> None:
    assert connect(redirector, OTHER, 80) == (1, OTHER, 80)
    assert connect(redirector, SERVICE, 81) == (1, SERVICE, 81)
    assert redirector.bss.passed == 2


def test_a_client_keeps_its_backend(lab: Lab, redirector: LoadedObject) -> None:
    assert len({connect(redirector, SERVICE, 80) for _ in range(20)}) == 1
    places = set()
    for pid in range(1, 40):
        lab.world.current = lab.world.task(pid=pid, comm="client")
        places.add(connect(redirector, SERVICE, 80)[1])
    assert len(places) == 4


def test_a_client_chooses_anew_when_its_time_is_over(lab: Lab, redirector: LoadedObject) -> None:
    add_service(redirector, address(SERVICE, 90), [address(f"172.16.1.{n}", 90) for n in range(8)], 16, affinity=10)
    first = connect(redirector, SERVICE, 90)
    lab.clock.advance(seconds=9)
    assert connect(redirector, SERVICE, 90) == first
    places = set()
    for _ in range(20):
        lab.clock.advance(seconds=11)
        places.add(connect(redirector, SERVICE, 90))
    assert len(places) > 1


@settings(max_examples=20)
@given(st.sets(st.integers(0, 3), max_size=4))
def test_no_connect_goes_to_a_backend_that_is_not_healthy(sick: set[int]) -> None:
    with Lab("sim") as lab:
        redirector = lab.load(SOURCE)
        add_service(redirector, address(SERVICE, 80), [address(f"172.16.0.{n}", 80) for n in range(4)])
        for number in sick:
            redirector.maps.backends[number] = redirector.maps.backends[number].replace(flags=UNHEALTHY)
        for pid in range(1, 9):
            lab.world.current = lab.world.task(pid=pid, comm="client")
            allowed, where, _ = connect(redirector, SERVICE, 80)
            assert allowed == (len(sick) < 4)
            assert not allowed or int(where[-1]) not in sick


def test_a_closed_service_is_refused(redirector: LoadedObject) -> None:
    add_service(redirector, address(SERVICE, 443), [address("172.16.0.1", 443)], 30, flags=CLOSED)
    assert connect(redirector, SERVICE, 443) == (0, SERVICE, 443)
    assert redirector.bss.refused == 1


def test_everything_else_is_refused_where_the_policy_says_so(lab: Lab) -> None:
    opened = lab.open(SOURCE)
    opened.rodata.closed_by_default = 1
    assert connect(opened.load(), OTHER, 80)[0] == 0


def test_datagrams_are_redirected_and_answers_turned_back(redirector: LoadedObject) -> None:
    add_service(redirector, address(SERVICE, 53, UDP), [address("172.16.2.1", 5353, UDP)], 40)
    assert connect(redirector, SERVICE, 53, "sendmsg4") == (1, "172.16.2.1", 5353)
    assert connect(redirector, "172.16.2.1", 5353, "recvmsg4") == (1, SERVICE, 53)


@pytest.fixture
def cgroup(bpf: Lab) -> Iterator[Path]:
    """A cgroup of the test's own, below wherever the second version of cgroups is mounted."""
    if bpf.backend.name != "kernel":
        pytest.skip("needs the kernel backend: real sockets")
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    root = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if root is None:
        pytest.skip("no cgroup2 file system is mounted")
    made = root / f"bpflab-redirector-{os.getpid()}"
    made.mkdir()
    try:
        yield made
    finally:
        (root / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")
        made.rmdir()


def greet_one(server: socket.socket) -> None:
    accepted, _ = server.accept()
    with accepted:
        accepted.sendall(b"hello")


def test_a_real_socket_goes_to_the_backend_and_sees_the_service(bpf: Lab, cgroup: Path) -> None:
    redirector = bpf.load(SOURCE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        add_service(redirector, address(SERVICE, 80), [address("127.0.0.1", port)])
        for name in ("connect4", "getpeername4"):
            bpf.attach(redirector.programs[name], cgroup)
        (cgroup / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")
        greeter = threading.Thread(target=greet_one, args=(server,))
        greeter.start()
        with socket.create_connection((SERVICE, 80), timeout=5) as client:
            assert client.recv(5) == b"hello"
            assert client.getpeername() == (SERVICE, 80)
        greeter.join()
    assert (redirector.bss.redirected, redirector.maps.backends[0].connections) == (1, 1)
