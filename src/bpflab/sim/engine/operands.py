"""Which registers an instruction reads and writes, by its form (RFC 9669)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL, CALLX, EXIT, MODE_MASK, AluOp, AtomicOp, InsnClass, JmpOp, Mode, Source

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn

_ALU: Final = frozenset({InsnClass.ALU, InsnClass.ALU64})
_JMP: Final = frozenset({InsnClass.JMP, InsnClass.JMP32})


def reads(insn: Insn) -> tuple[int, ...]:
    """List the registers that are read, in the order the kernel checks them; a call's arguments are not told."""
    cls = insn.cls
    if cls in _ALU:
        return _alu_reads(insn)
    if cls in _JMP:
        return _jump_reads(insn)
    return _memory_reads(insn, cls)


def _alu_reads(insn: Insn) -> tuple[int, ...]:
    if insn.operation in {AluOp.NEG, AluOp.END}:
        return (insn.dst,)
    source = (insn.src,) if insn.opcode & Source.X else ()
    return source if insn.operation == AluOp.MOV else (*source, insn.dst)


def _jump_reads(insn: Insn) -> tuple[int, ...]:
    if insn.opcode == EXIT:
        return (0,)
    if insn.operation in {JmpOp.JA, JmpOp.JCOND} or insn.opcode == CALL:
        return ()
    return (insn.dst, insn.src) if insn.opcode & Source.X else (insn.dst,)


def _memory_reads(insn: Insn, cls: InsnClass) -> tuple[int, ...]:
    mode = insn.opcode & MODE_MASK
    if cls is InsnClass.LD:
        return {Mode.ABS: (6,), Mode.IND: (6, insn.src)}.get(Mode(mode), ()) if mode else ()
    if cls is InsnClass.LDX:
        return (insn.src,)
    if cls is InsnClass.ST:
        return (insn.dst,)
    if mode != Mode.ATOMIC or insn.imm == AtomicOp.STORE_REL:
        return (insn.src, insn.dst)
    if insn.imm == AtomicOp.LOAD_ACQ:
        return (insn.src,)
    return (insn.src, insn.dst, 0) if insn.imm == AtomicOp.CMPXCHG else (insn.src, insn.dst)


def writes(insn: Insn) -> tuple[int, ...]:
    """List the registers that are written; a call leaves r0 set and r1 to r5 unset."""
    cls = insn.cls
    if insn.opcode in {CALL, CALLX}:
        return (0, 1, 2, 3, 4, 5)
    if cls in _JMP or cls is InsnClass.ST:
        return ()
    if cls is InsnClass.LD and insn.opcode & MODE_MASK:
        return (0, 1, 2, 3, 4, 5)
    return _atomic_writes(insn) if cls is InsnClass.STX else (insn.dst,)


def _atomic_writes(insn: Insn) -> tuple[int, ...]:
    if insn.opcode & MODE_MASK != Mode.ATOMIC or insn.imm == AtomicOp.STORE_REL:
        return ()
    if insn.imm == AtomicOp.LOAD_ACQ:
        return (insn.dst,)
    if insn.imm == AtomicOp.CMPXCHG:
        return (0,)
    return (insn.src,) if insn.imm & AtomicOp.FETCH_ADD else ()


def base_register(insn: Insn) -> int | None:
    """Give the register whose content an instruction uses as an address, or None."""
    cls = insn.cls
    if cls is InsnClass.LDX or (cls is InsnClass.STX and _is_load_acquire(insn)):
        return insn.src
    return insn.dst if cls in {InsnClass.ST, InsnClass.STX} else None


def _is_load_acquire(insn: Insn) -> bool:
    return insn.opcode & MODE_MASK == Mode.ATOMIC and insn.imm == AtomicOp.LOAD_ACQ
