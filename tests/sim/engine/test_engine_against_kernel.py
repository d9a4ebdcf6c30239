"""Random programs leave registers, stack, context and map value as the running kernel leaves them."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.insn import (
    EXIT,
    LD_IMM64,
    AluOp,
    AtomicOp,
    InsnClass,
    JmpOp,
    Mode,
    Size,
    Source,
    WideSource,
)
from bpflab.asm.insn import Insn, signed32, split_imm64
from bpflab.sim.engine import Run, prepare
from bpflab.sim.memory import Memory, RegionKind

CONTEXT, VALUE, STACK = 6, 7, 10
"""Registers that keep a pointer; the others hold numbers and are the subject of the test."""

DATA = (0, 1, 2, 3, 4, 5, 8, 9)
BYTES = 8 * len(DATA)


class KernelOracle(Protocol):
    value_fd: int

    def run(self, insns: Sequence[Insn], context: bytes) -> tuple[int, bytes]: ...
    def set_value(self, value: bytes) -> None: ...
    def value(self) -> bytes: ...


EDGES = sorted(
    {
        edge + delta & (1 << 64) - 1
        for bit in (0, 7, 8, 15, 16, 31, 32, 63)
        for edge in (1 << bit, -1 << bit)
        for delta in (-1, 0, 1)
    }
)
words = st.one_of(st.sampled_from(EDGES), st.integers(0, (1 << 64) - 1))
immediates = words.map(signed32)
registers = st.sampled_from(DATA)
alu_classes = st.sampled_from((InsnClass.ALU, InsnClass.ALU64))

SHIFTS = (AluOp.LSH, AluOp.RSH, AluOp.ARSH)
PLAIN = (AluOp.ADD, AluOp.SUB, AluOp.MUL, AluOp.OR, AluOp.AND, AluOp.XOR, AluOp.MOV)
DIVISIONS = (AluOp.DIV, AluOp.MOD)
CONDITIONS = tuple(op for op in JmpOp if op not in {JmpOp.JA, JmpOp.CALL, JmpOp.EXIT, JmpOp.JCOND})


@st.composite
def arithmetic(draw: st.DrawFn) -> Sequence[Insn]:
    cls, dst = draw(alu_classes), draw(registers)
    op = draw(st.sampled_from(PLAIN + DIVISIONS + SHIFTS))
    off = draw(st.integers(0, 1)) if op in DIVISIONS else 0
    if draw(st.booleans()):
        return [Insn(cls | op | Source.X, dst, draw(registers), off)]
    imm = draw(immediates)
    if op in SHIFTS:
        imm %= 64 if cls is InsnClass.ALU64 else 32
    return [Insn(cls | op, dst, 0, off, imm or op in DIVISIONS)]


@st.composite
def moves(draw: st.DrawFn) -> Sequence[Insn]:
    cls, dst, src = draw(alu_classes), draw(registers), draw(registers)
    bits = draw(st.sampled_from((8, 16, 32) if cls is InsnClass.ALU64 else (8, 16)))
    width = draw(st.sampled_from((16, 32, 64)))
    low, high = split_imm64(draw(words))
    return draw(
        st.sampled_from(
            [
                [Insn(cls | AluOp.MOV | Source.X, dst, src, bits)],
                [Insn(cls | AluOp.NEG, dst)],
                [Insn(InsnClass.ALU | AluOp.END, dst, imm=width)],
                [Insn(InsnClass.ALU | AluOp.END | Source.X, dst, imm=width)],
                [Insn(InsnClass.ALU64 | AluOp.END, dst, imm=width)],
                [Insn(LD_IMM64, dst, imm=low), Insn(0, imm=high)],
            ]
        )
    )


@st.composite
def places(draw: st.DrawFn, size: Size, *, aligned: bool = False) -> tuple[int, int]:
    """A pointer register and an offset; only the map's value takes unaligned access."""
    base = draw(st.sampled_from((CONTEXT, VALUE, STACK) if not aligned else (VALUE, STACK)))
    step = 1 if base == VALUE and not aligned else size.width
    index = draw(st.integers(0, (BYTES - size.width) // step))
    return base, index * step - (BYTES if base == STACK else 0)


@st.composite
def loads_and_stores(draw: st.DrawFn) -> Sequence[Insn]:
    size, reg, imm = draw(st.sampled_from(Size)), draw(registers), draw(immediates)
    base, off = draw(places(size))
    options = [
        Insn(InsnClass.LDX | Mode.MEM | size, reg, base, off),
        Insn(InsnClass.STX | Mode.MEM | size, base, reg, off),
        Insn(InsnClass.ST | Mode.MEM | size, base, 0, off, imm),
    ]
    if size is not Size.DW and base != CONTEXT:
        options.append(Insn(InsnClass.LDX | Mode.MEMSX | size, reg, base, off))
    return [draw(st.sampled_from(options))]


@st.composite
def atomics(draw: st.DrawFn) -> Sequence[Insn]:
    op, reg = draw(st.sampled_from(AtomicOp)), draw(registers)
    ordered = op in {AtomicOp.LOAD_ACQ, AtomicOp.STORE_REL}
    size = draw(st.sampled_from(tuple(Size) if ordered else (Size.W, Size.DW)))
    base, off = draw(places(size, aligned=True))
    dst, src = (reg, base) if op is AtomicOp.LOAD_ACQ else (base, reg)
    return [Insn(InsnClass.STX | Mode.ATOMIC | size, dst, src, off, op)]


@st.composite
def jumps(draw: st.DrawFn) -> Sequence[Insn]:
    """A jump over `off` of the instructions that follow, to be counted in slots later."""
    cls = draw(st.sampled_from((InsnClass.JMP, InsnClass.JMP32)))
    op, dst, over = draw(st.sampled_from(CONDITIONS)), draw(registers), draw(st.integers(0, 3))
    if draw(st.booleans()):
        return [Insn(cls | op | Source.X, dst, draw(registers), over)]
    return [Insn(cls | op, dst, 0, over, draw(immediates))]


bodies = st.lists(st.one_of(arithmetic(), arithmetic(), moves(), loads_and_stores(), atomics(), jumps()), max_size=24)


def placed(body: Sequence[Sequence[Insn]]) -> list[Insn]:
    """The body with jumps over items turned into jumps over slots."""
    sizes = [len(item) for item in body]
    return [
        replace(insn, off=sum(sizes[index + 1 : index + 1 + insn.off])) if insn.cls in {5, 6} else insn
        for index, item in enumerate(body)
        for insn in item
    ]


def program(body: Sequence[Sequence[Insn]], value_fd: int) -> list[Insn]:
    """Registers and stack filled from the context, the body, and both written back."""
    move, load, store = (
        InsnClass.ALU64 | AluOp.MOV | Source.X,
        InsnClass.LDX | Mode.MEM | Size.DW,
        InsnClass.STX | Mode.MEM | Size.DW,
    )
    slots = [(reg, 8 * index) for index, reg in enumerate(DATA)]
    return [
        Insn(move, CONTEXT, 1),
        Insn(LD_IMM64, VALUE, WideSource.MAP_VALUE, imm=value_fd),
        Insn(0),
        *(Insn(load, reg, CONTEXT, BYTES + off) for reg, off in slots),
        *(Insn(store, STACK, reg, off - BYTES) for reg, off in slots),
        *(Insn(load, reg, CONTEXT, off) for reg, off in slots),
        *placed(body),
        *(Insn(store, CONTEXT, reg, off) for reg, off in slots),
        *(
            insn
            for _, off in slots
            for insn in (Insn(load, 1, STACK, off - BYTES), Insn(store, CONTEXT, 1, BYTES + off))
        ),
        Insn(EXIT),
    ]


def interpret(insns: Sequence[Insn], context: bytes, value: bytes) -> tuple[int, bytes, bytes]:
    memory = Memory(sys.byteorder)
    cell = memory.add(RegionKind.MAP_VALUE, bytearray(value))
    loaded = prepare(insns, memory, addresses={1: cell.address})
    with memory.scope() as scope:
        ctx = scope.add(RegionKind.CONTEXT, bytearray(context))
        r0 = Run(loaded, scope, arguments=(ctx.address,)).execute()
    return r0 & 0xFFFFFFFF, bytes(ctx.data), bytes(cell.data)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies, st.lists(words, min_size=16, max_size=16), st.binary(min_size=64, max_size=64))
def test_a_random_program_leaves_what_it_leaves_on_the_kernel(
    oracle: KernelOracle, body: Sequence[Sequence[Insn]], contents: Sequence[int], value: bytes
) -> None:
    context = struct.pack("=16Q", *contents)
    insns = program(body, oracle.value_fd)
    oracle.set_value(value)
    r0, after = oracle.run(insns, context)

    assert interpret(insns, context, value) == (r0, after, oracle.value())
