"""Instructions per second of the interpreter, on a mixed program and by class of instruction.

Run with `pytest bench/bench_interpreter.py`; `extra_info` of a result holds instructions per second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.insn import EXIT, LD_IMM64, AluOp, AtomicOp, InsnClass, JmpOp, Mode, Size, Source
from bpflab.asm.insn import Insn
from bpflab.sim.engine import Run, prepare
from bpflab.sim.memory import Memory, RegionKind

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

MOVE, ADD, AND = (InsnClass.ALU64 | op for op in (AluOp.MOV, AluOp.ADD, AluOp.AND))
LDX, STX = InsnClass.LDX | Mode.MEM, InsnClass.STX | Mode.MEM
ROUNDS = 200
"""How often a program's body runs before it exits."""

CONTEXT, VALUE = 6, 7
"""Registers that hold the context and a map's value, in every body."""

PACKET_PARSER = [
    Insn(LDX | Size.DW, 2, CONTEXT, 0),
    Insn(LDX | Size.DW, 3, CONTEXT, 8),
    Insn(MOVE | Source.X, 4, 2),
    Insn(ADD, 4, imm=14),
    Insn(InsnClass.JMP | JmpOp.JGT | Source.X, 4, 3, 17),
    Insn(LDX | Size.H, 5, 2, 12),
    Insn(InsnClass.ALU | AluOp.END | Source.X, 5, imm=16),
    Insn(InsnClass.JMP | JmpOp.JEQ, 5, 0, 14, 0x86DD),
    Insn(ADD, 4, imm=20),
    Insn(InsnClass.JMP | JmpOp.JGT | Source.X, 4, 3, 12),
    Insn(LDX | Size.B, 5, 2, 23),
    Insn(STX | Size.W, 10, 5, -4),
    Insn(LDX | Size.W, 0, 2, 26),
    Insn(STX | Size.DW, 10, 0, -16),
    Insn(LDX | Size.W, 5, 10, -4),
    Insn(InsnClass.ALU64 | AluOp.LSH, 5, imm=3),
    Insn(AND, 5, imm=0x38),
    Insn(MOVE | Source.X, 1, VALUE),
    Insn(ADD | Source.X, 1, 5),
    Insn(LDX | Size.DW, 0, 1, 0),
    Insn(ADD, 0, imm=1),
    Insn(STX | Size.DW, 1, 0, 0),
]

CLASSES = {
    "mixed": PACKET_PARSER,
    "alu64 register": [Insn(ADD | Source.X, 0, 8)] * 20,
    "alu64 immediate": [Insn(ADD, 0, imm=3)] * 20,
    "alu32": [Insn(InsnClass.ALU | AluOp.ADD | Source.X, 0, 8)] * 20,
    "move": [Insn(MOVE | Source.X, 0, 8)] * 20,
    "jump": [Insn(InsnClass.JMP | JmpOp.JEQ, 8, 0, 0, 77)] * 20,
    "byte swap": [Insn(InsnClass.ALU | AluOp.END | Source.X, 0, imm=32)] * 20,
    "load from map value": [Insn(LDX | Size.W, 0, VALUE, 4)] * 20,
    "load from stack": [Insn(STX | Size.DW, 10, 8, -8), *[Insn(LDX | Size.DW, 0, 10, -8)] * 20],
    "store to map value": [Insn(STX | Size.W, VALUE, 8, 4)] * 20,
    "store to stack": [Insn(STX | Size.DW, 10, 8, -8)] * 20,
    "atomic": [Insn(InsnClass.STX | Mode.ATOMIC | Size.DW, VALUE, 8, 8, AtomicOp.FETCH_ADD)] * 20,
    "helper call": [Insn(InsnClass.JMP | JmpOp.CALL, imm=1)] * 20,
}


def looped(body: Sequence[Insn]) -> list[Insn]:
    """The body run `ROUNDS` times, with numbers in r0 and r8, and r9 as the counter."""
    jump_back = Insn(InsnClass.JMP | JmpOp.JNE, 9, 0, -len(body) - 2, 0)
    start = [Insn(MOVE | Source.X, CONTEXT, 1), Insn(LD_IMM64, VALUE), Insn(0), Insn(MOVE, 8, imm=12345)]
    start += [Insn(MOVE, 0), Insn(MOVE, 9, imm=ROUNDS)]
    return [*start, *body, Insn(ADD, 9, imm=-1), jump_back, Insn(EXIT)]


@pytest.mark.parametrize("name", CLASSES)
def test_instructions_per_second(benchmark: BenchmarkFixture, name: str) -> None:
    memory = Memory(sys.byteorder)
    value = memory.add(RegionKind.MAP_VALUE, bytearray(64))
    program = prepare(looped(CLASSES[name]), memory, helpers={1: lambda *_: 0}, addresses={1: value.address})
    packet = bytes(12) + b"\x08\x00\x45" + bytes(50)
    with memory.scope() as scope:
        region = scope.add(RegionKind.PACKET, bytearray(packet))
        pointers = region.start.to_bytes(8, sys.byteorder) + region.end.to_bytes(8, sys.byteorder)
        context = scope.add(RegionKind.CONTEXT, bytearray(pointers))

        def execute() -> int:
            run = Run(program, scope, arguments=(context.address,))
            run.execute()
            return run.steps

        steps = benchmark(execute)
    if benchmark.stats is None:
        return
    best: float = benchmark.stats["min"]
    benchmark.extra_info["instructions per second"] = round(steps / best)
    benchmark.extra_info["ns per instruction"] = round(best / steps * 1e9)
