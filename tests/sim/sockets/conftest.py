"""The same sockets twice: opened in a network namespace of the test's own, and added to a simulated world."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.sim.backend import SimBackend
from bpflab.sim.world import World

CLONE_NEWNET = 0x40000000
SO_MARK, SO_BINDTODEVICE, SO_PRIORITY, SO_COOKIE = 36, 25, 12, 57
ADDRESSES = ("10.0.0.1/32", "10.0.0.2/32", "fd00::1/128")
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
SECOND = 40
"""The index of the second interface."""


Listener = Mapping[str, Any]
"""A bound socket: protocol, address, port, and what is set on it: mark, device, v6only, reuseport."""
Connection = tuple[str, tuple[str, int], tuple[str, int]]


@contextlib.contextmanager
def own_namespace() -> Iterator[None]:
    """Be in a network namespace of one's own, with a loopback and a second interface that are up."""
    if shutil.which("ip") is None:
        pytest.skip("iproute2's ip is not here")
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            for command in (
                "ip link set lo up",
                f"ip link add second index {SECOND} type veth peer name third",
                "ip link set second up",
                *(f"ip addr add {address} dev lo{_at_once(address)}" for address in ADDRESSES),
            ):
                subprocess.run(command.split(), check=True)
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


@contextlib.contextmanager
def opened(world: World, listeners: Sequence[Listener], connections: Sequence[Connection]) -> Iterator[None]:
    """Open all sockets, and add their like to a world."""
    world.add_interface("second", ifindex=SECOND)
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(_bound(each)) for each in listeners]
        for each in listeners:
            _mirror(world, each)
        for protocol, local, remote in connections:
            server = next((one for one, each in zip(servers, listeners, strict=True) if _is_at(each, remote)), None)
            _connect(stack, world, (protocol, local, remote), server)
        yield


def _is_at(each: Listener, end: tuple[str, int]) -> bool:
    return each["protocol"] == "tcp" and each["port"] == end[1] and each["address"] in {end[0], "::"}


def _at_once(address: str) -> str:
    """Have an IPv6 address be usable before the kernel has looked for the same one elsewhere."""
    return " nodad" if ":" in address else ""


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _bound(each: Listener) -> socket.socket:
    made = socket.socket(
        _family(each["address"]), socket.SOCK_STREAM if each["protocol"] == "tcp" else socket.SOCK_DGRAM
    )
    made.setsockopt(socket.SOL_SOCKET, SO_MARK, each.get("mark", 0))
    if each.get("device", ""):
        made.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, each.get("device", "").encode())
    if _family(each["address"]) == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, each.get("v6only", False))
    if each.get("reuseport", False):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((each["address"], each["port"]))
    if each["protocol"] == "tcp":
        made.listen()
    return made


def _mirror(world: World, each: Listener) -> None:
    options = dict(each)
    where = options.pop("address"), options.pop("port")
    device = {"": 0, "lo": 1, "second": SECOND}[options.pop("device", "")]
    world.add_socket(options.pop("protocol"), where, ifindex=device, **options)


def _connect(
    stack: contextlib.ExitStack,
    world: World,
    connection: Connection,
    server: socket.socket | None,
) -> None:
    protocol, local, remote = connection
    client = stack.enter_context(socket.socket(_family(local[0]), KINDS[protocol]))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(local)
    client.connect(remote)
    world.add_socket(protocol, local, remote)
    if server is not None:
        accepted, _ = server.accept()
        stack.enter_context(accepted)
        mapped = "::ffff:" if accepted.family == socket.AF_INET6 and ":" not in local[0] else ""
        mark = accepted.getsockopt(socket.SOL_SOCKET, SO_MARK)
        world.add_socket(
            protocol, (mapped + remote[0], remote[1]), (mapped + local[0], local[1]), mark=mark, rx_queue=0
        )


@pytest.fixture(scope="module")
def both_with_sockets(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, Lab]]:
    """Give the running kernel in a namespace with the module's LISTENERS and CONNECTIONS, and the like of it."""
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with own_namespace(), Lab("kernel") as kernel, Lab("sim") as sim:
        assert isinstance(sim.backend, SimBackend)
        with opened(sim.backend.kernel.world, request.module.LISTENERS, request.module.CONNECTIONS):
            yield kernel, sim
