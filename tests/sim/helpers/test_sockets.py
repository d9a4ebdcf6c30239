"""Where no socket is, lookups find none, as on the running kernel."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attach_types import AttachType

SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LOOKUP = """
    r2 = 0
    *(u64 *)(r10 - 40) = r2
    *(u64 *)(r10 - 32) = r2
    *(u64 *)(r10 - 24) = r2
    *(u64 *)(r10 - 16) = r2
    *(u64 *)(r10 - 8) = r2
    r2 = r10
    r2 += -40
    r3 = {size}
    r4 = {netns} ll
    r5 = {flags} ll
    call bpf_{helper}
    if r0 == 0 goto none
    r1 = r0
    call bpf_sk_release
    r0 = 1
none:
    exit
"""
ASSIGN = (
    "r2 = 0\nr3 = {flags} ll\ncall bpf_sk_assign\nr0 += 100\nif r0 == 100 goto yes\nr0 = 0\nexit\nyes:\nr0 = 1\nexit"
)


@pytest.mark.parametrize("kind", ["xdp", "sched_cls"])
@pytest.mark.parametrize("helper", ["sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp"])
@SETTINGS
@given(
    size=st.sampled_from([0, 8, 12, 36, 40]),
    world=st.tuples(st.sampled_from([0, 1, (1 << 32) - 1, (1 << 64) - 1]), st.sampled_from([0, 1])),
)
def test_a_lookup_finds_no_socket(pair: Any, kind: str, helper: str, size: int, world: tuple[int, int]) -> None:
    code = LOOKUP.format(size=size, netns=world[0], flags=world[1], helper=helper)
    pair.agree(code, bytes(64), type=kind)


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 1 << 40])
def test_a_lookup_program_may_choose_no_socket(pair: Any, flags: int) -> None:
    def verdict(lab: Lab) -> int:
        attach = AttachType.SK_LOOKUP
        program = lab.program(ASSIGN.format(flags=flags), type="sk_lookup", expected_attach_type=attach)
        return program.run(ctx=struct.pack("=QII", 0, 2, 6).ljust(72, b"\0")).retval

    assert verdict(pair.sim) == verdict(pair.kernel)


def test_a_socket_that_was_checked_must_be_given_back(pair: Any) -> None:
    leaking = LOOKUP.replace("call bpf_sk_release", "r2 = 0").format(size=12, netns=0, flags=0, helper="sk_lookup_tcp")
    assert pair.agree(leaking, bytes(64), type="xdp") == "VerifierError"
