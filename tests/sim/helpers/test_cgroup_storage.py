"""The memory of an attachment is zero when a run begins and stays through its repetitions, as on the running kernel."""

from __future__ import annotations

from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.contexts import SockOpt

COUNT = """
    r1 = map[name:kept]
    r2 = 0
    call bpf_get_local_storage
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    r6 = r1
    r1 = map[name:kept]
    r2 = 0
    call bpf_get_local_storage
    r0 = *(u64 *)(r0 + 0)
    if r0 == {wanted} goto +1
    r0 = 0
    if r0 == 0 goto +1
    r0 = 1
    exit
"""


@pytest.mark.parametrize("kind", ["cgroup_storage", "percpu_cgroup_storage"])
@pytest.mark.parametrize("repeat", [1, 2, 7])
def test_the_memory_counts_the_repetitions_of_a_run(pair: Any, kind: str, repeat: int) -> None:
    verdicts = []
    for lab in (pair.kernel, pair.sim):
        lab.map(kind, key=16, value="u64", max_entries=0, name="kept")
        program = lab.program(
            COUNT.format(wanted=repeat), type="cgroup_skb", expected_attach_type=AttachType.CGROUP_INET_INGRESS
        )
        verdicts.append([program.run(bytes(64), repeat=repeat).retval for _ in range(2)])
    assert verdicts == [[1, 1], [1, 1]]


def test_programs_of_system_calls_have_it_too() -> None:
    with Lab("sim") as lab:
        lab.map("cgroup_storage", key=16, value="u64", max_entries=0, name="kept")
        program = lab.program(
            COUNT.format(wanted=1), type="cgroup_sockopt", expected_attach_type=AttachType.CGROUP_SETSOCKOPT
        )
        assert program.run(b"1234", ctx=SockOpt()).retval == 1
