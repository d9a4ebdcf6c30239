"""What is put into a program, and what is left out where there is no room."""

from __future__ import annotations

import pytest

from bpflab import Lab, asm
from bpflab.abi.insn import GOTOL, InsnClass, Mode, Size
from bpflab.asm import DW, Insn, W, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10
from bpflab.coverage import Coverage
from bpflab.coverage.flow import CannotInstrumentError, Flow
from bpflab.coverage.probes import choose_probes
from bpflab.coverage.rewrite import needs_stack, rewrite
from bpflab.coverage.stack import depths_by_form, depths_in_log, free_place

SPILL = InsnClass.STX | Mode.MEM | Size.DW
CROWDED = [
    *[asm.ldx(W, r9, r1, 12), *[asm.mov(reg, 3) for reg in (r0, r2, r3, r4, r5, r6, r7, r8)]],
    *[asm.jeq(r9, 1, "one"), asm.mov(r0, 4), asm.label("one")],
    *[asm.add(r0, reg) for reg in (r1, r2, r3, r4, r5, r6, r7, r8, r9)],
    *[asm.mov(r0, 2), asm.exit_()],
]


def flow_of(items: asm.Items) -> Flow:
    return Flow(tuple(asm.assemble(items).insns))


def test_a_plain_program_gets_a_probe_for_its_function_and_both_edges_of_each_jump() -> None:
    flow = flow_of([asm.mov(r0, 1), asm.jeq(r1, 0, "end"), asm.mov(r0, 2), asm.label("end"), asm.exit_()])
    probes = choose_probes(flow)
    assert probes.count == 3
    assert set(probes.edges) == {(1, True), (1, False)}


def test_a_register_is_put_on_the_stack_only_where_all_are_in_use() -> None:
    crowded, roomy = (choose_probes(flow_of(items)) for items in (CROWDED, CROWDED[:9] + CROWDED[-2:]))
    assert needs_stack(crowded)
    assert not needs_stack(roomy)
    spills = [insn for insn in rewrite(crowded, (16,)).insns if insn.opcode == SPILL]
    assert spills
    assert {(insn.dst, insn.off) for insn in spills} == {(10, -24)}


def test_a_program_without_room_is_not_rewritten_and_the_reason_names_the_function() -> None:
    with pytest.raises(CannotInstrumentError, match="at instruction 0 uses 508 bytes of its stack"):
        rewrite(choose_probes(flow_of(CROWDED)), (508,))


def test_a_conditional_jump_that_would_become_too_long_is_said() -> None:
    far = [asm.jeq(r1, 0, "end"), *[asm.mov(r0, 1)] * 32765, asm.label("end"), asm.mov(r0, 0), asm.exit_()]
    with pytest.raises(CannotInstrumentError, match="would have to reach over"):
        rewrite(choose_probes(flow_of(far)))


def test_an_unconditional_jump_that_becomes_too_long_is_made_a_long_one() -> None:
    jumps = [item for number in range(200) for item in (asm.jeq(r1, number, f"l{number}"), asm.label(f"l{number}"))]
    items = [asm.ja("end"), *[asm.mov(r0, 1)] * 32300, *jumps, asm.label("end"), asm.mov(r0, 0), asm.exit_()]
    assert any(insn.opcode == GOTOL for insn in rewrite(choose_probes(flow_of(items))).insns)


def test_a_jump_through_a_register_is_not_measured() -> None:
    with pytest.raises(CannotInstrumentError, match="instruction 1 jumps through a register"):
        Flow((Insn(0xB7, 1), Insn(0x0D, 1)))


def test_the_verifier_is_believed_about_the_stack() -> None:
    assert depths_in_log("verification time 12 usec\nstack depth 64+0+16\nprocessed 3 insns") == (64, 0, 16)
    assert depths_in_log("processed 3 insns") == ()


def test_without_its_word_the_lowest_place_that_could_be_touched_counts() -> None:
    flow = flow_of(
        [
            asm.mov(r2, r10),
            asm.add(r2, -40),
            asm.st(DW, r2, -8, 0),
            asm.st(DW, r10, -16, 0),
            asm.mov(r0, 0),
            asm.exit_(),
        ]
    )
    assert depths_by_form(flow) == (56,)


@pytest.mark.parametrize(("depth", "place"), [(0, -8), (1, -16), (8, -16), (504, -512), (505, None), (512, None)])
def test_the_place_under_the_stack_that_is_used_is_aligned_and_within_512_bytes(depth: int, place: int | None) -> None:
    assert free_place(depth) == place


FULL = [asm.st(DW, r10, -512, 1), *CROWDED]


def test_a_program_that_cannot_be_measured_runs_as_it_is_and_is_named_with_the_reason() -> None:
    coverage = Coverage()
    with Lab(coverage.watch("sim", probes=True)) as lab:
        assert lab.program(FULL, type="xdp", name="full").run(bytes(20)).retval == 2
        lab.program(FULL, type="xdp", name="full")
    (unmeasured,) = coverage.data.unmeasured
    assert (unmeasured.program, unmeasured.backend) == ("full", "sim")
    assert "512 bytes of its stack" in unmeasured.reason
    assert not coverage.data.programs


@pytest.mark.bpf(backend="kernel")
def test_a_program_that_the_kernel_refuses_with_probes_runs_as_it_is_and_the_verifier_is_cited() -> None:
    coverage = Coverage()
    deep = [asm.st(DW, r10, -504, 1), asm.call_sub("f"), asm.exit_(), asm.label("f"), *CROWDED]
    with Lab(coverage.watch("kernel")) as lab:
        assert lab.program(deep, type="xdp", name="deep").run(bytes(20)).retval == 2
    (unmeasured,) = coverage.data.unmeasured
    assert unmeasured.reason.startswith("the verifier refused it with probes in it, with EACCES: combined stack size")


def test_a_program_that_is_refused_is_refused_with_its_own_log() -> None:
    from bpflab import VerifierError

    with Lab(Coverage().watch("sim", probes=True)) as lab, pytest.raises(VerifierError, match="R0 !read_ok"):
        lab.program([asm.exit_()], type="xdp", name="wrong")
