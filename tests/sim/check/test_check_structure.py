"""Programs of no valid form: the load-time check and the running kernel refuse them in the same words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pytest

from bpflab.abi.errno import errno_name
from bpflab.abi.insn import CALL, CALLX, EXIT, GOTOL, JA, LD_IMM64, MAY_GOTO, OPCODES
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn
from bpflab.sim.check import CtxField, Refused, Subject, check, rewrite
from bpflab.sim.check.types import Kind
from bpflab.sim.engine.program import BUILDERS

ZERO, RETURN = Insn(0xB7), Insn(EXIT)
CHAIN = [Insn(CALL, 0, 1, 0, 1), RETURN]


class KernelOracle(Protocol):
    def verdict(self, insns: Sequence[Insn], prog_type: ProgType, licence: str) -> tuple[str, str]: ...


CASES: Mapping[str, tuple[list[Insn], str]] = {
    "no exit": ([ZERO], "EINVAL: last insn is not an exit or jmp"),
    "jump past the end": ([Insn(JA, off=5), RETURN], "EINVAL: jump out of range from insn 0 to 6"),
    "jump before the start": ([Insn(JA, off=-5), RETURN], "EINVAL: jump out of range from insn 0 to -4"),
    "condition past the end": ([ZERO, Insn(0x15, 0, 0, 9), RETURN], "EINVAL: jump out of range from insn 1 to 11"),
    "into a wide load": (
        [ZERO, Insn(0x15, 0, 0, 1), Insn(LD_IMM64, 1), Insn(0), ZERO, RETURN],
        "EINVAL: jump into the middle of ldimm64 insn 2",
    ),
    "unreachable": ([ZERO, RETURN, ZERO, RETURN], "EINVAL: unreachable insn 2"),
    "unreachable after a jump": ([Insn(JA, off=-1), RETURN], "EINVAL: unreachable insn 1"),
    "unknown opcode": ([Insn(0xFF), RETURN], "EINVAL: unknown opcode ff"),
    "opcode zero": ([Insn(0), RETURN], "EINVAL: unknown opcode 00"),
    "indirect call": ([ZERO, Insn(CALLX), RETURN], "EINVAL: unknown opcode 8d"),
    "r11 as destination": ([Insn(0xB7, 11), RETURN], "EINVAL: R11 is invalid"),
    "r12 as source": ([ZERO, Insn(0xBF, 0, 12), RETURN], "EINVAL: R12 is invalid"),
    "half a wide load": ([ZERO, Insn(LD_IMM64, 1)], "EINVAL: last insn is not an exit or jmp"),
    "wide load with a wrong second half": ([Insn(LD_IMM64, 1), ZERO, RETURN], "EINVAL: invalid bpf_ld_imm64 insn"),
    "wide load of an unknown kind": (
        [Insn(LD_IMM64, 1, 7), Insn(0), ZERO, RETURN],
        "EINVAL: unrecognized bpf_ld_imm64 insn",
    ),
    "wide load with an offset": (
        [Insn(LD_IMM64, 1, 0, 3), Insn(0), ZERO, RETURN],
        "EINVAL: BPF_LD_IMM64 uses reserved fields",
    ),
    "load with an immediate": ([Insn(0x61, 0, 1, 12, 7), RETURN], "EINVAL: BPF_LDX uses reserved fields"),
    "load of an unknown mode": ([Insn(0xE1, 0, 1, 12), RETURN], "EINVAL: BPF_LDX uses reserved fields"),
    "sign extension of a double word": ([Insn(0x99, 0, 1, 12), RETURN], "EINVAL: unknown opcode 99"),
    "immediate store with a source": (
        [Insn(0x62, 10, 1, -4, 7), ZERO, RETURN],
        "EINVAL: BPF_ST uses reserved fields",
    ),
    "store with an immediate": ([Insn(0x63, 10, 1, -4, 7), ZERO, RETURN], "EINVAL: BPF_STX uses reserved fields"),
    "unknown atomic": (
        [Insn(0xB7, 1), Insn(0xDB, 10, 1, -8, 0x77), ZERO, RETURN],
        "EINVAL: BPF_ATOMIC uses invalid atomic opcode 77",
    ),
    "atomic on a byte": (
        [Insn(0xB7, 1), Insn(0xD3, 10, 1, -8), ZERO, RETURN],
        "EINVAL: invalid atomic operand size",
    ),
    "misaligned atomic": (
        [Insn(0xB7, 1), Insn(0xDB, 10, 1, -12), ZERO, RETURN],
        "EACCES: misaligned stack access off 0+0+-12 size 8",
    ),
    "negation with an immediate": ([ZERO, Insn(0x87, imm=4), RETURN], "EINVAL: BPF_NEG uses reserved fields"),
    "swap of 17 bits": ([ZERO, Insn(0xD4, imm=17), RETURN], "EINVAL: BPF_END uses reserved fields"),
    "move with a strange offset": ([ZERO, Insn(0xBF, 1, 0, 3), RETURN], "EINVAL: BPF_MOV uses reserved fields"),
    "immediate move with a source": ([Insn(0xB7, 0, 1), RETURN], "EINVAL: BPF_MOV uses reserved fields"),
    "32 bits extended to 32": ([ZERO, Insn(0xBC, 1, 0, 32), RETURN], "EINVAL: BPF_MOV uses reserved fields"),
    "addition with an offset": ([ZERO, Insn(0x07, 0, 0, 1, 1), RETURN], "EINVAL: BPF_ALU uses reserved fields"),
    "addition of both operands": ([ZERO, Insn(0x0F, imm=1), RETURN], "EINVAL: BPF_ALU uses reserved fields"),
    "division with offset 2": ([ZERO, Insn(0x37, 0, 0, 2, 1), RETURN], "EINVAL: BPF_ALU uses reserved fields"),
    "jump with a register": ([Insn(JA, 1), RETURN], "EINVAL: BPF_JA uses reserved fields"),
    "long jump with an offset": ([ZERO, Insn(GOTOL, off=1), RETURN], "EINVAL: BPF_JA uses reserved fields"),
    "exit with an immediate": ([ZERO, Insn(EXIT, imm=1)], "EINVAL: BPF_EXIT uses reserved fields"),
    "call with a destination": ([Insn(CALL, 1, 0, 0, 5), RETURN], "EINVAL: BPF_CALL uses reserved fields"),
    "call of an unknown kind": ([Insn(CALL, 0, 3, 0, 5), RETURN], "EINVAL: BPF_CALL uses reserved fields"),
    "condition with both operands": (
        [ZERO, Insn(0x1D, imm=1), RETURN],
        "EINVAL: BPF_JMP/JMP32 uses reserved fields",
    ),
    "may_goto with a register": ([ZERO, Insn(MAY_GOTO, 0, 1), RETURN], "EINVAL: invalid may_goto imm 0"),
    "call past the end": ([Insn(CALL, 0, 1, 0, 100), RETURN], "EINVAL: call to invalid destination"),
    "jump into another function": (
        [Insn(CALL, 0, 1, 0, 1), RETURN, Insn(JA, off=-2), RETURN],
        "EINVAL: jump out of range from insn 2 to 1",
    ),
    "falling into another function": (
        [ZERO, Insn(CALL, 0, 1, 0, 1), Insn(0xB7, 1), ZERO, RETURN],
        "EINVAL: last insn is not an exit or jmp",
    ),
    "calling itself": ([Insn(CALL, 0, 1, 0, -1), RETURN], "E2BIG: the call stack of 9 frames is too deep"),
    "nine frames": ([*CHAIN * 8, ZERO, RETURN], "E2BIG: the call stack of 9 frames is too deep"),
    "eight frames": ([*CHAIN * 7, ZERO, RETURN], "OK"),
    "function without BTF as a callback": (
        [Insn(LD_IMM64, 1, 4, 0, 3), Insn(0), ZERO, RETURN, ZERO, RETURN],
        "EINVAL: missing btf func_info",
    ),
    "no instruction": ([], "E2BIG"),
}


def no_context(_off: int, _size: int, _store: bool) -> CtxField | None:
    return None


@pytest.mark.parametrize("name", CASES)
def test_the_form_of_a_program_is_checked(name: str) -> None:
    insns, wanted = CASES[name]
    errno, _, sentence = wanted.partition(": ")
    try:
        said, log = "OK", check(Subject(tuple(insns), ProgType.XDP, no_context, lambda _number: True)).log
    except Refused as refused:
        said, log = errno_name(refused.errno), refused.log
    assert (said, sentence in log) == (errno, True)


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_checks_the_form_alike(oracle: KernelOracle, name: str) -> None:
    insns, wanted = CASES[name]
    errno, _, sentence = wanted.partition(": ")
    verdict, log = oracle.verdict(insns, ProgType.XDP, "GPL")
    assert (verdict, sentence in log) == (errno, True)


def test_the_engine_runs_every_opcode_that_the_check_lets_pass() -> None:
    assert set(BUILDERS) == OPCODES


def test_rewriting_moves_context_accesses_and_nothing_else() -> None:
    insns = [Insn(0x61, 2, 1, 4), Insn(0x61, 3, 10, -4), RETURN]
    moved = rewrite(insns, {0: CtxField(Kind.PACKET_END, 16, 8)})
    assert moved == (Insn(0x79, 2, 1, 16), Insn(0x61, 3, 10, -4), RETURN)
