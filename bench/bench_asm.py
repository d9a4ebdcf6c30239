"""How fast 100,000 instructions are assembled from text, disassembled, encoded and decoded.

Run with `pytest bench/bench_asm.py`. The aim: text to bytes in under 3 s, bytes to text in under 2 s.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.insn import CALL, LD_IMM64, AluOp, AtomicOp, InsnClass, JmpOp, Mode, Size, Source
from bpflab.asm import Insn, assemble, decode, disassemble, encode

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

COUNT = 100_000


@pytest.fixture(scope="module")
def insns() -> list[Insn]:
    """Make a mix of all classes whose operands seldom repeat, so that no cache can help."""
    random = Random(1)
    made: list[Insn] = []
    while len(made) < COUNT:
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
            Insn(CALL, imm=random.randrange(1, 200)),
        ]
    return made[:COUNT]


def test_assemble_text(benchmark: BenchmarkFixture, insns: list[Insn]) -> None:
    text = disassemble(insns)
    assembled = benchmark(assemble, text, check=False)
    assert list(assembled.insns) == insns


def test_assemble_text_with_labels_and_checks(benchmark: BenchmarkFixture, insns: list[Insn]) -> None:
    without_calls = [Insn(CALL, src=0, imm=7) if insn.opcode == CALL else insn for insn in insns]
    text = disassemble(without_calls, labels={})
    assembled = benchmark(assemble, text)
    assert list(assembled.insns) == without_calls


def test_disassemble(benchmark: BenchmarkFixture, insns: list[Insn]) -> None:
    text = benchmark(disassemble, encode(insns))
    assert text.count("\n") > COUNT * 0.8


def test_disassemble_with_labels(benchmark: BenchmarkFixture, insns: list[Insn]) -> None:
    text = benchmark(disassemble, encode(insns), labels={})
    assert text.count(" goto L") > COUNT * 0.15


def test_encode(benchmark: BenchmarkFixture, insns: list[Insn]) -> None:
    assert len(benchmark(encode, insns)) == 8 * COUNT


def test_decode(benchmark: BenchmarkFixture, insns: list[Insn]) -> None:
    assert benchmark(decode, encode(insns)) == insns
