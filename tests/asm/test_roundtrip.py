"""Bytes to instructions to text and back: nothing is lost on any way."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpflab.abi.insn import (
    CALL,
    CALLX,
    EXIT,
    GOTOL,
    GOTOX,
    JA,
    LD_IMM64,
    MAY_GOTO,
    AluOp,
    AtomicOp,
    InsnClass,
    JmpOp,
    Mode,
    Size,
    Source,
)
from bpflab.asm import Insn, assemble, decode, disassemble, encode
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.asm import ByteOrder

REGS = st.integers(0, 10)
OFFS = st.integers(-0x8000, 0x7FFF)
IMMS = st.integers(-0x80000000, 0x7FFFFFFF)
ZERO = st.just(0)
BYTE_ORDERS = st.sampled_from(["little", "big"])
COMPARISONS = sorted(set(JmpOp) - {JmpOp.JA, JmpOp.CALL, JmpOp.EXIT, JmpOp.JCOND})
PLAIN_ALU = sorted(set(AluOp) - {AluOp.NEG, AluOp.END})
READ_MODIFY_WRITE = sorted(set(AtomicOp) - {AtomicOp.LOAD_ACQ, AtomicOp.STORE_REL})
NARROW = [Size.B, Size.H, Size.W]


def form(
    opcode: int,
    dst: st.SearchStrategy[int] = ZERO,
    src: st.SearchStrategy[int] = ZERO,
    off: st.SearchStrategy[int] = ZERO,
    imm: st.SearchStrategy[int] = ZERO,
) -> st.SearchStrategy[list[Insn]]:
    return st.builds(Insn, st.just(opcode), dst, src, off, imm).map(lambda insn: [insn])


def alu_forms() -> Iterator[st.SearchStrategy[list[Insn]]]:
    signed = st.sampled_from([0, 1])
    for cls in (InsnClass.ALU, InsnClass.ALU64):
        for op in PLAIN_ALU:
            off = signed if op in {AluOp.DIV, AluOp.MOD} else ZERO
            yield form(cls | op | Source.K, REGS, ZERO, off, IMMS)
            yield form(cls | op | Source.X, REGS, REGS, off)
        yield form(cls | AluOp.NEG, REGS)
        bits = [8, 16, 32] if cls is InsnClass.ALU64 else [8, 16]
        yield form(cls | AluOp.MOV | Source.X, REGS, REGS, st.sampled_from(bits))
        sources = [Source.K] if cls is InsnClass.ALU64 else [Source.K, Source.X]
        yield from (form(cls | AluOp.END | s, REGS, imm=st.sampled_from([16, 32, 64])) for s in sources)
    yield form(InsnClass.ALU64 | AluOp.MOV | Source.X, REGS, REGS, st.just(1), IMMS)


def memory_forms() -> Iterator[st.SearchStrategy[list[Insn]]]:
    for size in Size:
        yield form(InsnClass.LDX | Mode.MEM | size, REGS, REGS, OFFS)
        yield form(InsnClass.STX | Mode.MEM | size, REGS, REGS, OFFS)
        yield form(InsnClass.ST | Mode.MEM | size, REGS, ZERO, OFFS, IMMS)
        ordered = st.sampled_from([AtomicOp.LOAD_ACQ.value, AtomicOp.STORE_REL.value])
        yield form(InsnClass.STX | Mode.ATOMIC | size, REGS, REGS, OFFS, ordered)
    for size in NARROW:
        yield form(InsnClass.LDX | Mode.MEMSX | size, REGS, REGS, OFFS)
        yield form(InsnClass.LD | Mode.ABS | size, imm=IMMS)
        yield form(InsnClass.LD | Mode.IND | size, src=REGS, imm=IMMS)
    for size in (Size.W, Size.DW):
        operations = st.sampled_from([op.value for op in READ_MODIFY_WRITE])
        yield form(InsnClass.STX | Mode.ATOMIC | size, REGS, REGS, OFFS, operations)


def jump_forms() -> Iterator[st.SearchStrategy[list[Insn]]]:
    for cls in (InsnClass.JMP, InsnClass.JMP32):
        for op in COMPARISONS:
            yield form(cls | op | Source.K, REGS, ZERO, OFFS, IMMS)
            yield form(cls | op | Source.X, REGS, REGS, OFFS)
    yield form(JA, off=OFFS)
    yield form(MAY_GOTO, off=OFFS)
    yield form(GOTOL, imm=IMMS)
    yield form(GOTOX, REGS)
    yield form(CALLX, REGS)
    yield form(EXIT)
    yield form(CALL, src=st.sampled_from([0, 1]), imm=IMMS)
    yield form(CALL, src=st.just(2), off=OFFS, imm=IMMS)


def wide_forms() -> Iterator[st.SearchStrategy[list[Insn]]]:
    def wide(sources: list[int], high: st.SearchStrategy[int]) -> st.SearchStrategy[list[Insn]]:
        first = st.builds(Insn, st.just(LD_IMM64), REGS, st.sampled_from(sources), ZERO, IMMS)
        return st.tuples(first, st.builds(Insn, ZERO, ZERO, ZERO, ZERO, high)).map(list)

    yield wide([1, 4, 5], ZERO)
    yield wide([0, 2, 3, 6], IMMS)


VALID = st.one_of(*alu_forms(), *memory_forms(), *jump_forms(), *wide_forms())
VALID_PROGRAMS = st.lists(VALID, max_size=20).map(lambda parts: [insn for part in parts for insn in part])
ANY_SLOT = st.builds(Insn, st.integers(0, 255), st.integers(0, 15), st.integers(0, 15), OFFS, IMMS)
FIELDS: list[dict[str, st.SearchStrategy[int]]] = [
    {"dst": st.integers(0, 15)},
    {"src": st.integers(0, 15)},
    {"off": OFFS},
    {"imm": IMMS},
    {"imm": st.sampled_from([1, 16, 32, 64])},
]
SPOILED = st.builds(
    lambda insns, change: [replace(insns[0], **change), *insns[1:]],
    VALID,
    st.sampled_from(FIELDS).flatmap(st.fixed_dictionaries),
)
ANY_PROGRAMS = st.lists(VALID | SPOILED | ANY_SLOT.map(lambda insn: [insn]), max_size=20).map(
    lambda parts: [insn for part in parts for insn in part]
)


@settings(deadline=None)
@given(st.binary(max_size=160).filter(lambda code: len(code) % 8 == 0), BYTE_ORDERS)
def test_encoding_what_was_decoded_gives_the_same_bytes(code: bytes, byteorder: ByteOrder) -> None:
    assert encode(decode(code, byteorder), byteorder) == code


@settings(deadline=None)
@given(ANY_PROGRAMS)
def test_big_endian_turns_each_field_and_swaps_the_registers(insns: list[Insn]) -> None:
    expected = b"".join(struct.pack(">BBhi", i.opcode, i.dst << 4 | i.src, i.off, i.imm) for i in insns)
    assert encode(insns, "big") == expected


@settings(max_examples=300, deadline=None)
@given(VALID_PROGRAMS)
def test_every_valid_instruction_has_a_text_of_its_own(insns: list[Insn]) -> None:
    assert ".insn" not in disassemble(insns)


@settings(max_examples=300, deadline=None)
@given(ANY_PROGRAMS, BYTE_ORDERS)
def test_text_of_any_bytes_assembles_to_the_same_bytes(insns: list[Insn], byteorder: ByteOrder) -> None:
    code = encode(insns, byteorder)
    text = disassemble(code, byteorder=byteorder)
    assert assemble(text, byteorder=byteorder, check=False).code == code


@settings(deadline=None)
@given(ANY_PROGRAMS)
def test_text_with_labels_assembles_to_the_same_bytes(insns: list[Insn]) -> None:
    text = disassemble(insns, labels={})
    assert list(assemble(text, check=False).insns) == insns


@settings(deadline=None)
@given(ANY_PROGRAMS)
def test_numbered_text_assembles_to_the_same_bytes(insns: list[Insn]) -> None:
    text = disassemble(insns, numbered=True)
    assert list(assemble(text, check=False).insns) == insns


@settings(deadline=None)
@given(ANY_PROGRAMS)
def test_text_is_canonical_what_it_assembles_to_is_written_the_same(insns: list[Insn]) -> None:
    text = disassemble(insns)
    assert disassemble(assemble(text, check=False).insns) == text


def test_an_instruction_tells_its_class_and_operation() -> None:
    insn = Insn(InsnClass.ALU64 | AluOp.ARSH | Source.X)
    assert (insn.cls, insn.operation, insn.is_wide) == (InsnClass.ALU64, AluOp.ARSH, False)
    assert Insn(LD_IMM64).is_wide


@pytest.mark.parametrize("length", [1, 7, 9])
def test_bytes_that_end_inside_an_instruction_are_refused(length: int) -> None:
    with pytest.raises(AssemblyError, match=f"{length} bytes ends inside an instruction"):
        decode(bytes(length))


@pytest.mark.parametrize(
    "insn", [Insn(256), Insn(0, 16), Insn(0, 0, 16), Insn(0, off=0x8000), Insn(0, imm=1 << 31), Insn(0, -1)]
)
def test_a_field_that_does_not_fit_is_refused_when_encoded(insn: Insn) -> None:
    with pytest.raises(AssemblyError, match="fit"):
        encode([insn])
