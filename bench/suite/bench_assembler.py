"""Instructions to bytes, bytes to instructions, text to instructions and back; by number of instructions."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache, partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.insn import CALL, LD_IMM64, AluOp, AtomicOp, InsnClass, JmpOp, Mode, Size, Source
from bpflab.asm import Insn, assemble, decode, disassemble, encode

if TYPE_CHECKING:
    from measure import Measure, Work

LAYOUT = struct.Struct("<BBhi")


@lru_cache
def mixed(count: int) -> list[Insn]:
    """Make a mix of all classes whose operands seldom repeat, so that no cache can help."""
    random = Random(1)
    made: list[Insn] = []
    while len(made) < count:
        dst, src, off, imm = random.randrange(10), random.randrange(10), random.randrange(50), random.getrandbits(30)
        made += [
            Insn(InsnClass.ALU64 | AluOp.MOV | Source.K, dst, imm=imm),
            Insn(InsnClass.ALU | AluOp.ADD | Source.X, dst, src),
            Insn(InsnClass.LDX | Mode.MEM | Size.W, dst, src, off),
            Insn(InsnClass.STX | Mode.MEM | Size.DW, dst, src, off),
            Insn(InsnClass.JMP | JmpOp.JEQ | Source.K, dst, off=off, imm=imm),
            Insn(InsnClass.JMP32 | JmpOp.JSLT | Source.X, dst, src, off),
            Insn(InsnClass.STX | Mode.ATOMIC | Size.DW, dst, src, off, AtomicOp.FETCH_ADD.value),
            Insn(LD_IMM64, dst, imm=imm),
            Insn(0, imm=imm),
            Insn(CALL, imm=7),
        ]
    insns = made[:count]
    assert decode(encode(insns)) == list(assemble(disassemble(insns), check=False).insns) == insns
    return insns


def packed(insns: list[Insn]) -> bytes:
    """Pack the instructions by struct alone, the least that Python can do."""
    return b"".join(LAYOUT.pack(each.opcode, each.src << 4 | each.dst, each.off, each.imm) for each in insns)


STEPS: dict[str, Callable[[list[Insn]], Work]] = {
    "encode": lambda insns: partial(encode, insns),
    "decode": lambda insns: partial(decode, encode(insns)),
    "disassemble": lambda insns: partial(disassemble, encode(insns)),
    "disassemble_labels": lambda insns: partial(disassemble, encode(insns), labels={}),
    "assemble": lambda insns: partial(assemble, disassemble(insns), check=False),
    "assemble_checked": lambda insns: partial(assemble, disassemble(insns, labels={})),
}
"""What is measured, made of instructions."""


@pytest.mark.ways(*STEPS, "struct")
@pytest.mark.axis("instructions", kernel=[1_000, 10_000, 100_000], sim=[100, 500, 2_000])
def test_instructions(measure: Measure, instructions: int, way: str) -> None:
    insns = mixed(instructions)
    ways: dict[str, Work] = {"struct": lambda: packed(insns)}
    if way in STEPS:
        ways[way] = STEPS[way](insns)
    measure(
        ways,
        way,
        group="assembler",
        subject="mixed instructions",
        operations=instructions,
        axis="instructions",
        value=instructions,
        rounds=3 if instructions > 10_000 else None,
    )
