"""Verdicts by type of program."""

from __future__ import annotations

from enum import IntEnum

import pytest

from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import CGROUP, FLOW_DISSECTOR, LWT, NETFILTER, SK, TC, TCX, XDP, verdict_of, verdict_type


@pytest.mark.parametrize(
    ("prog_type", "retval", "verdict"),
    [
        (ProgType.XDP, 1, XDP.DROP),
        (ProgType.SCHED_CLS, 2, TC.SHOT),
        (ProgType.SCHED_ACT, 0xFFFF_FFFF, TC.UNSPEC),
        (ProgType.SCHED_CLS, -1, TC.UNSPEC),
        (ProgType.SK_MSG, 1, SK.PASS),
        (ProgType.CGROUP_SKB, 3, CGROUP.ALLOW_CONGESTION),
        (ProgType.LWT_XMIT, 128, LWT.REROUTE),
        (ProgType.FLOW_DISSECTOR, 129, FLOW_DISSECTOR.CONTINUE),
        (ProgType.NETFILTER, 1, NETFILTER.ACCEPT),
    ],
)
def test_a_return_value_is_read_as_the_verdict_of_its_type(prog_type: ProgType, retval: int, verdict: IntEnum) -> None:
    assert verdict_of(prog_type, retval) is verdict


@pytest.mark.parametrize(("prog_type", "retval"), [(ProgType.XDP, 5), (ProgType.SCHED_CLS, 0x8000_0000)])
def test_a_return_value_that_the_type_does_not_know_is_no_verdict(prog_type: ProgType, retval: int) -> None:
    assert verdict_of(prog_type, retval) is None


@pytest.mark.parametrize("prog_type", [ProgType.SOCKET_FILTER, ProgType.RAW_TRACEPOINT, ProgType.SYSCALL])
def test_types_that_return_a_mere_number_have_no_verdicts(prog_type: ProgType) -> None:
    assert verdict_type(prog_type) is None
    assert verdict_of(prog_type, 0) is None


@pytest.mark.parametrize("verdict", TCX)
def test_tcx_knows_a_part_of_the_verdicts_of_tc(verdict: TCX) -> None:
    assert int(verdict) in list(TC)
