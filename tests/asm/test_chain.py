"""Stages that are linked by tail calls run one after the other, with their context."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import XDP
from bpflab.asm import W, assemble, exit_, ja, jeq, jne, ldx, mov, r1, r2, r6, r7
from bpflab.asm.chain import chain, tail_call
from bpflab.asm.count import count
from bpflab.asm.packet import verdict
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.asm import Items
    from bpflab.lab import Lab


def load(lab: Lab, bodies: list[Items]) -> Callable[[], object]:
    """Load the stages into a prog array, and return what runs the first one."""
    slots = lab.map("prog_array", key="u32", value="u32", max_entries=8, name="chain")
    stages = [lab.program(stage, type="xdp") for stage in chain(bodies, missing=XDP.PASS)]
    for index, program in enumerate(stages):
        slots[index] = program
    return lambda: stages[0].run(bytes(64)).action


def test_every_stage_runs_and_the_last_returns_the_verdict(lab: Lab) -> None:
    counts = lab.map("array", key="u32", value="u64", max_entries=3, name="counts")
    run = load(lab, [[count("counts", index)] for index in range(3)])
    assert run() is XDP.PASS
    assert [counts[index] for index in range(3)] == [1, 1, 1]


def test_a_stage_that_has_decided_ends_the_chain(lab: Lab) -> None:
    run = load(lab, [[], verdict(XDP.DROP), verdict(XDP.TX)])
    assert run() is XDP.DROP


def test_a_stage_can_go_on_from_its_middle(lab: Lab) -> None:
    run = load(lab, [[ldx(W, r2, r1, 0), jne(r2, 0, "next"), verdict(XDP.TX)], verdict(XDP.DROP)])
    assert run() is XDP.DROP


def test_nothing_stands_behind_a_stage_that_never_goes_on() -> None:
    decided, jumping = chain([verdict(XDP.DROP), [ja("next")]], missing=XDP.PASS)
    assert len(assemble(decided).insns) == 3
    assert len(assemble(jumping).insns) == 4


def test_the_context_reaches_every_stage_in_r1_and_in_its_register(lab: Lab) -> None:
    body = [ldx(W, r2, r1, 0), ldx(W, r7, r6, 0), jeq(r2, r7, "next"), verdict(XDP.ABORTED)]
    run = load(lab, [body, body, verdict(XDP.TX)])
    assert run() is XDP.TX


def test_a_stage_without_a_program_after_it_returns_the_missing_verdict(lab: Lab) -> None:
    lab.map("prog_array", key="u32", value="u32", max_entries=8, name="chain")
    first, _ = chain([[], []], missing=XDP.DROP)
    assert lab.program(first, type="xdp").run(bytes(64)).action is XDP.DROP


def test_a_stage_names_its_prog_array_and_the_index_of_the_next_stage() -> None:
    first, second = (
        assemble(stage, prog_type=ProgType.XDP) for stage in chain([[], []], missing=2, prog_array="stages")
    )
    assert first.maps == ("stages",)
    assert "r3 = 1" in str(first)
    assert second.maps == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: chain([[]] * 35, missing=0), "35 stages needs 34 tail calls; a run may make 33"),
        (lambda: chain([[]], missing=0, ctx=r2), r"stage\(ctx=r2\): a call clobbers r2; give one of r6 to r9"),
        (lambda: assemble([tail_call("m", r2), exit_()]), "r2 is an argument of the call"),
    ],
)
def test_a_chain_that_cannot_run_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(AssemblyError, match=message):
        make()


def test_a_tail_call_takes_its_index_from_a_register() -> None:
    assembled = assemble([mov(r6, r1), mov(r7, 3), tail_call("m", r7), exit_()], prog_type=ProgType.XDP)
    assert "r3 = r7" in str(assembled)
