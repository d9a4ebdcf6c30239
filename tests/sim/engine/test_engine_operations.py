"""Every operation, on every pair of edge values, gives what the running kernel gives."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from itertools import product
from typing import Protocol

import pytest

from bpflab.abi.insn import EXIT, LD_IMM64, AluOp, AtomicOp, InsnClass, JmpOp, Mode, Size, Source
from bpflab.asm.insn import Insn, signed32, split_imm64
from bpflab.sim.engine import Run, prepare
from bpflab.sim.memory import Memory, RegionKind

EDGES = sorted(
    {(edge + delta) & (1 << 64) - 1 for edge in (0, 1 << 31, 1 << 32, 1 << 63) for delta in (-1, 0, 1)} | {7}
)
PAIRS = tuple(product(EDGES, EDGES))
BOTH = (InsnClass.ALU, InsnClass.ALU64)
OPERATIONS = [op for op in AluOp if op not in {AluOp.NEG, AluOp.END}]
CONDITIONS = [op for op in JmpOp if op not in {JmpOp.JA, JmpOp.CALL, JmpOp.EXIT, JmpOp.JCOND}]
RECORD = struct.Struct("=5Q")
"""Two operands and three results."""

MOVE = InsnClass.ALU64 | AluOp.MOV
LOAD, STORE = InsnClass.LDX | Mode.MEM | Size.DW, InsnClass.STX | Mode.MEM | Size.DW


class KernelOracle(Protocol):
    def run(self, insns: Sequence[Insn], context: bytes) -> tuple[int, bytes]: ...


def registers_form() -> list[Insn]:
    signed = [Insn(cls | op | Source.X, 1, 2, 1) for cls in BOTH for op in (AluOp.DIV, AluOp.MOD)]
    extended = [Insn(InsnClass.ALU64 | AluOp.MOV | Source.X, 1, 2, bits) for bits in (8, 16, 32)]
    extended += [Insn(InsnClass.ALU | AluOp.MOV | Source.X, 1, 2, bits) for bits in (8, 16)]
    swaps = [Insn(InsnClass.ALU | AluOp.END | source, 1, imm=width) for source in Source for width in (16, 32, 64)]
    swaps += [Insn(InsnClass.ALU64 | AluOp.END, 1, imm=width) for width in (16, 32, 64)]
    plain = [Insn(cls | op | Source.X, 1, 2) for cls in BOTH for op in OPERATIONS]
    return plain + signed + extended + swaps + [Insn(cls | AluOp.NEG, 1) for cls in BOTH]


def evaluation(insn: Insn) -> list[Insn]:
    """What to do with r1 and r2 for one pair: an operation on r1, or r1 = whether a jump was taken."""
    if insn.cls in {InsnClass.JMP, InsnClass.JMP32}:
        return [Insn(MOVE, 3, imm=1), insn, Insn(MOVE, 3), Insn(MOVE | Source.X, 1, 3)]
    return [insn]


def exchange(insn: Insn) -> list[Insn]:
    """An atomic on a stack slot that holds the first operand; r0 and r2 hold the second."""
    return [Insn(STORE, 10, 1, -8), Insn(MOVE | Source.X, 0, 2), insn, Insn(LOAD, 1, 10, -8)]


def program(steps: Sequence[Sequence[Insn]]) -> list[Insn]:
    body: list[Insn] = []
    for index, step in enumerate(steps):
        at = index * RECORD.size
        body += [Insn(LOAD, 1, 6, at), Insn(LOAD, 2, 6, at + 8), Insn(MOVE, 0), *step]
        body += [Insn(STORE, 6, reg, at + 16 + 8 * place) for place, reg in enumerate((1, 0, 2))]
    return [Insn(MOVE | Source.X, 6, 1), *body, Insn(MOVE, 0), Insn(EXIT)]


def interpret(insns: Sequence[Insn], context: bytes) -> bytes:
    memory = Memory(sys.byteorder)
    with memory.scope() as scope:
        ctx = scope.add(RegionKind.CONTEXT, bytearray(context))
        Run(prepare(insns, memory), scope, arguments=(ctx.address,)).execute()
    return bytes(ctx.data)


def records(context: bytes) -> list[tuple[int, ...]]:
    return list(RECORD.iter_unpack(context))


def compare(oracle: KernelOracle, steps: Sequence[Sequence[Insn]], pairs: Sequence[tuple[int, int]]) -> None:
    context = b"".join(RECORD.pack(first, second, 0, 0, 0) for first, second in pairs)
    insns = program(steps)
    _, after = oracle.run(insns, context)
    assert records(interpret(insns, context)) == records(after)


def immediates(insn: Insn) -> list[int]:
    """Edge immediates that the kernel takes: no shift past the width, no division by zero."""
    found = sorted({signed32(edge) for edge in EDGES})
    alu = insn.cls in BOTH
    if alu and insn.operation in {AluOp.LSH, AluOp.RSH, AluOp.ARSH}:
        return [0, 1, 31] + ([32, 63] if insn.cls is InsnClass.ALU64 else [])
    return [imm for imm in found if imm] if alu and insn.operation in {AluOp.DIV, AluOp.MOD} else found


COMPARISONS = [Insn(cls | op | Source.X, 1, 2, 1) for cls in (InsnClass.JMP, InsnClass.JMP32) for op in CONDITIONS]
IMMEDIATE = [Insn(cls | op, 1) for cls in BOTH for op in OPERATIONS]
IMMEDIATE += [Insn(cls | op, 1, 0, 1) for cls in BOTH for op in (AluOp.DIV, AluOp.MOD)]
IMMEDIATE += [Insn(cls | op, 1, 0, 1) for cls in (InsnClass.JMP, InsnClass.JMP32) for op in CONDITIONS]
ATOMICS = [
    Insn(InsnClass.STX | Mode.ATOMIC | size, 10, 2, -8, op)
    for size in (Size.W, Size.DW)
    for op in AtomicOp
    if op is not AtomicOp.LOAD_ACQ
]


def name(insn: Insn) -> str:
    return f"{insn.opcode:02x}-{insn.off}-{insn.imm:x}"


@pytest.mark.parametrize("insn", registers_form() + COMPARISONS, ids=name)
def test_an_operation_on_registers_gives_what_the_kernel_gives(oracle: KernelOracle, insn: Insn) -> None:
    compare(oracle, [evaluation(insn)] * len(PAIRS), PAIRS)


@pytest.mark.parametrize("insn", IMMEDIATE, ids=name)
def test_an_operation_with_an_immediate_gives_what_the_kernel_gives(oracle: KernelOracle, insn: Insn) -> None:
    choices = list(product(EDGES, immediates(insn)))
    steps = [evaluation(Insn(insn.opcode, 1, 0, insn.off, imm)) for _, imm in choices]
    compare(oracle, steps, [(edge, 0) for edge, _ in choices])


@pytest.mark.parametrize("insn", ATOMICS, ids=name)
def test_an_atomic_gives_what_the_kernel_gives(oracle: KernelOracle, insn: Insn) -> None:
    compare(oracle, [exchange(insn)] * len(PAIRS), PAIRS)


@pytest.mark.parametrize("word", EDGES)
def test_a_64_bit_immediate_is_loaded_whole(word: int) -> None:
    low, high = split_imm64(word)
    insns = [Insn(LD_IMM64, 2, imm=low), Insn(0, imm=high), Insn(STORE, 1, 2), Insn(MOVE, 0), Insn(EXIT)]
    assert int.from_bytes(interpret(insns, bytes(8)), sys.byteorder) == word
