"""Connections are found, made and changed by programs as the running kernel's connection tracking does it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.conntrack import CtStatus
from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).with_name("conntrack_programs.bpf.c")
SETTINGS = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLAIN = {"netns_id": -1, "error": 0, "l4proto": 6, "dir": 0, "zone": 0, "zone_dir": 0, "reserved": bytes(3)}
OPTIONS = st.fixed_dictionaries(
    {
        "netns_id": st.sampled_from([-1, -1, -1, -2, 77777]),
        "error": st.just(0),
        "l4proto": st.sampled_from([6, 17, 6, 17, 1, 0]),
        "dir": st.integers(0, 1),
        "zone": st.sampled_from([0, 0, 7]),
        "zone_dir": st.integers(0, 4),
        "reserved": st.sampled_from([bytes(3)] * 4 + [b"\0\1\0"]),
    }
)
STATUS = st.one_of(st.sampled_from([0, 2, 4, 6, 1 << 10, 8, 1, 1 << 9]), st.integers(0, (1 << 17) - 1))
ENDS = {"source": 0x0200A8C0, "destination": 0x0300A8C0}
_LIVES = iter(range(1, 60000))


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(SOURCE)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        if lab.world.types.btf is None:
            pytest.skip("the simulated kernel has no types here")
        yield lab


def big(port: int) -> int:
    return socket.htons(port)


@SETTINGS
@given(opts=OPTIONS, status=STATUS, more=STATUS, mark=st.integers(0, 0xFFFFFFFF), turned=st.booleans())
@example(opts=PLAIN, status=6, more=14, mark=1, turned=True)
@example(opts=PLAIN, status=1 << 10, more=0x400 | 8, mark=1, turned=False)
@example(opts=PLAIN | {"zone": 7}, status=6, more=8, mark=1, turned=False)
def test_the_life_of_a_connection_goes_as_in_the_kernel(twins: Any, opts: dict[str, Any], **drawn: Any) -> None:
    # An entry of the kernel with a fixed timeout outlives its example and this process: each has ends of its own.
    ends = {"source": os.getpid(), "destination": ENDS["destination"], "destination_port": 443}
    own = ends | {"source_port": next(_LIVES)}
    twins.agree("life", opts=opts, six=False, **drawn, **own)


@pytest.mark.parametrize("zone", [0, 7])
def test_sizes_that_are_not_known_are_refused(twins: Any, zone: int) -> None:
    twins.agree("sizes", opts=PLAIN | {"zone": zone})


@pytest.mark.parametrize("name", ["changes_what_is_not_put_in", "leaks", "writes_the_status"])
def test_broken_rules_are_refused_with_the_same_errno(twins: Any, name: str) -> None:
    failures = []
    for each in (twins.kernel, twins.sim):
        with pytest.raises(VerifierError) as caught:
            each.lab.load(SOURCE, programs=[name])
        failures.append(caught.value.failure.errno)
    assert failures[0] == failures[1]


@pytest.mark.parametrize("direction", [0, 1])
def test_a_program_finds_and_marks_what_the_test_put_in(lab: Lab, direction: int) -> None:
    ends = [("192.168.0.2", 40000), ("192.168.0.3", 443)]
    connection = lab.world.conntrack.add("tcp", *ends, mark=7)
    loaded = lab.load(SOURCE, programs=["seen"])
    for name, value in ENDS.items():
        setattr(loaded.bss, name, value)
    loaded.bss.source_port, loaded.bss.destination_port = big(40000), big(443)
    if direction:
        loaded.bss.source, loaded.bss.destination = ENDS["destination"], ENDS["source"]
        loaded.bss.source_port, loaded.bss.destination_port = big(443), big(40000)
    assert loaded.programs["seen"].run(bytes(64)).retval == 14 + direction
    assert connection.mark == 14 + direction
    assert connection.status == CtStatus.SEEN_REPLY | CtStatus.ASSURED | CtStatus.CONFIRMED


def test_what_a_program_put_in_is_there_until_it_expires(lab: Lab) -> None:
    loaded = lab.load(SOURCE, programs=["life"])
    loaded.bss.opts = PLAIN
    for name, value in (ENDS | {"source_port": big(1), "destination_port": big(2), "status": 1 << 10}).items():
        setattr(loaded.bss, name, value)
    assert loaded.programs["life"].run(bytes(64)).retval == 3
    assert [str(each) for each in lab.world.conntrack] == [
        "<Connection tcp 192.168.0.2:1 -> 192.168.0.3:2 <CtStatus.CONFIRMED|FIXED_TIMEOUT: 1032>>"
    ]
    lab.clock.advance(seconds=61)
    assert loaded.programs["life"].run(bytes(64)).retval == 3
