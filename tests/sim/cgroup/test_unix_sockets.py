"""Programs on the addresses of unix sockets change them alike under system calls and in simulated runs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.contexts import SockAddr
from bpflab.errors import InputError

SOURCE = Path(__file__).with_name("unix_redirect.bpf.c")
PATH = b"\0bpflab-test-redirect"[:20]


def test_a_connection_goes_to_the_path_that_the_program_says(rig: Any) -> None:
    objects = [lab.load(SOURCE) for lab in rig.labs]
    for each in objects:
        each.maps.answers[0] = {"result": 1, "path": PATH.ljust(112, b"\0"), "length": 20, "family": 0}
    rig.kernel.attach(objects[0].programs.redirect, str(rig.group), hook=AttachType.CGROUP_UNIX_CONNECT)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(PATH)
        server.listen()
        client.connect("/nowhere/at/all")
        peer = client.getpeername()
    asked = SockAddr(user_family=1, family=1, type=1, sun_path="/nowhere/at/all")
    result = objects[1].programs.redirect.run(ctx=asked)
    assert result.ctx.sun_path == peer == PATH
    kernel, sim = (each.maps.answers[0] for each in objects)
    assert sim == kernel


@pytest.mark.usefixtures("kernel_types")
def test_a_socket_that_is_not_unix_has_no_path(simulated: Lab) -> None:
    loaded = simulated.load(SOURCE)
    result = loaded.programs.redirect.run(ctx=SockAddr(user_family=2, family=2))
    assert result.ctx is not None
    assert loaded.maps.answers[0]["result"] == (1 << 64) - 22


@pytest.mark.parametrize("path", ["/run/x.sock", b"\0abstract", b""])
def test_a_path_is_read_as_it_was_given(path: str | bytes) -> None:
    given: Any = SockAddr
    expected = path.encode() if isinstance(path, str) else path
    assert given(sun_path=path).sun_path == expected
    assert given.from_bytes(given(sun_path=path).to_bytes()).sun_path == expected


def test_a_path_that_is_too_long_is_refused() -> None:
    with pytest.raises(InputError, match="108 at most"):
        SockAddr(sun_path="x" * 109)
