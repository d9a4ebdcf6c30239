"""Programs that break a rule of kernel functions are refused where the running kernel refuses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from re import findall
from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.kfuncs import kfuncs
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn
from bpflab.backend.select import kernel_refusal
from bpflab.errors import BpfError
from bpflab.obj.btf import Btf
from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).with_name("refused_programs.bpf.c")
NAMES = findall(r"(?:BAD\(|SEC\(\"\?syscall\"\) int )(\w+)[()]", SOURCE.read_text())[1:]
CALLERS = (
    *(ProgType.XDP, ProgType.SCHED_CLS, ProgType.SCHED_ACT, ProgType.SOCKET_FILTER, ProgType.CGROUP_SKB),
    *(ProgType.KPROBE, ProgType.TRACEPOINT, ProgType.PERF_EVENT, ProgType.SK_SKB, ProgType.LWT_IN, ProgType.SOCK_OPS),
)


@pytest.fixture(scope="module")
def labs() -> Iterator[tuple[Lab, Lab]]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim:
        yield kernel, sim


def refusal_of(lab: Lab, name: str) -> VerifierError:
    with pytest.raises(VerifierError) as caught:
        lab.load(SOURCE, programs=[name])
    return caught.value


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_rule_is_refused_with_the_same_errno(labs: tuple[Lab, Lab], name: str) -> None:
    kernel, sim = (refusal_of(lab, name) for lab in labs)
    assert sim.failure.errno == kernel.failure.errno, f"the simulator: {sim.reason!r}, the kernel: {kernel.reason!r}"


def call_of(btf: Btf, name: str) -> list[Insn]:
    number = btf.find(name)
    return [Insn(0x85, 0, 2, 0, number or 0), Insn(0xB7, 0, 0, 0, 0), Insn(0x95, 0, 0, 0, 0)]


def may_call(lab: Lab, code: Any, prog_type: ProgType) -> bool:
    try:
        lab.program(code, type=prog_type).close()
    except BpfError as error:
        return "is not allowed" not in getattr(error, "log", "").replace("not allowed: it is not simulated", "")
    return True


@pytest.mark.parametrize("prog_type", CALLERS)
def test_programs_of_a_type_may_call_what_they_may_in_the_kernel(labs: tuple[Lab, Lab], prog_type: ProgType) -> None:
    btf = Btf.of_kernel()
    codes = {name: call_of(btf, name) for name in kfuncs() if btf.find(name)}
    kernel, sim = ({name for name, code in codes.items() if may_call(lab, code, prog_type)} for lab in labs)
    assert sim == kernel
