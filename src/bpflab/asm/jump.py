"""Jumps and exit (RFC 9669 section 4.3).

A target is a label, or a number of instructions to skip, counted from the next one. A jump to a
label that lies beyond 16 bits is written by the assembler as a longer one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bpflab.abi.insn import COMPARISONS, EXIT, GOTOL, GOTOX, JA, MAY_GOTO, InsnClass, JmpOp, Source
from bpflab.asm.insn import Insn
from bpflab.asm.item import Pending, RefKind
from bpflab.asm.operand import S32, Call, Reg, imm32, number, offset16, register


@dataclass(frozen=True, slots=True)
class Conditional:
    """A jump if a comparison holds, called as `jeq(dst, operand, target)`.

    The operand is a register or an immediate. A name with `s` after the j compares signed numbers,
    one with 32 the low halves; `jset` jumps if any common bit is set.
    """

    name: str
    op: JmpOp
    cls: InsnClass

    def __call__(self, dst: Reg, operand: Reg | int, target: str | int) -> Insn | Pending:
        """Make the instruction."""
        call = (self.name, dst, operand, target)
        number = register(call, "dst", dst)
        if isinstance(operand, Reg):
            insn = Insn(self.cls | self.op | Source.X, number, operand.number)
        else:
            imm = imm32(call, operand, sign_extended=self.cls is InsnClass.JMP)
            insn = Insn(self.cls | self.op | Source.K, number, imm=imm)
        return _to(call, insn, target)


def _to(call: Call, insn: Insn, target: str | int) -> Insn | Pending:
    if isinstance(target, str):
        return Pending(insn, RefKind.JUMP, target)
    return Insn(insn.opcode, insn.dst, insn.src, offset16(call, target, "the target"), insn.imm)


_OFF_JUMPS: Final = frozenset(
    {
        JA,
        MAY_GOTO,
        *(cls | op | source for cls in (InsnClass.JMP, InsnClass.JMP32) for op in COMPARISONS for source in Source),
    }
)


def jump_distance(insn: Insn) -> int | None:
    """How many slots a jump skips, counted from the next one; None for what is no jump by number."""
    if insn.opcode in _OFF_JUMPS:
        return insn.off
    return insn.imm if insn.opcode == GOTOL else None


jeq: Final = Conditional("jeq", JmpOp.JEQ, InsnClass.JMP)
jne: Final = Conditional("jne", JmpOp.JNE, InsnClass.JMP)
jgt: Final = Conditional("jgt", JmpOp.JGT, InsnClass.JMP)
jge: Final = Conditional("jge", JmpOp.JGE, InsnClass.JMP)
jlt: Final = Conditional("jlt", JmpOp.JLT, InsnClass.JMP)
jle: Final = Conditional("jle", JmpOp.JLE, InsnClass.JMP)
jset: Final = Conditional("jset", JmpOp.JSET, InsnClass.JMP)
jsgt: Final = Conditional("jsgt", JmpOp.JSGT, InsnClass.JMP)
jsge: Final = Conditional("jsge", JmpOp.JSGE, InsnClass.JMP)
jslt: Final = Conditional("jslt", JmpOp.JSLT, InsnClass.JMP)
jsle: Final = Conditional("jsle", JmpOp.JSLE, InsnClass.JMP)

jeq32: Final = Conditional("jeq32", JmpOp.JEQ, InsnClass.JMP32)
jne32: Final = Conditional("jne32", JmpOp.JNE, InsnClass.JMP32)
jgt32: Final = Conditional("jgt32", JmpOp.JGT, InsnClass.JMP32)
jge32: Final = Conditional("jge32", JmpOp.JGE, InsnClass.JMP32)
jlt32: Final = Conditional("jlt32", JmpOp.JLT, InsnClass.JMP32)
jle32: Final = Conditional("jle32", JmpOp.JLE, InsnClass.JMP32)
jset32: Final = Conditional("jset32", JmpOp.JSET, InsnClass.JMP32)
jsgt32: Final = Conditional("jsgt32", JmpOp.JSGT, InsnClass.JMP32)
jsge32: Final = Conditional("jsge32", JmpOp.JSGE, InsnClass.JMP32)
jslt32: Final = Conditional("jslt32", JmpOp.JSLT, InsnClass.JMP32)
jsle32: Final = Conditional("jsle32", JmpOp.JSLE, InsnClass.JMP32)


def ja(target: str | int) -> Insn | Pending:
    """Jump always."""
    return _to(("ja", target), Insn(JA), target)


def gotol(target: str | int) -> Insn | Pending:
    """Jump always, with 32 bits of reach (Linux 6.6)."""
    if isinstance(target, str):
        return Pending(Insn(GOTOL), RefKind.JUMP, target)
    return Insn(GOTOL, imm=number(("gotol", target), "the target", target, S32))


def may_goto(target: str | int) -> Insn | Pending:
    """Jump once the loop has used up the time the kernel allows it (Linux 6.9)."""
    return _to(("may_goto", target), Insn(MAY_GOTO), target)


def gotox(dst: Reg) -> Insn:
    """Jump to the address in a register, which comes from a map of type INSN_ARRAY."""
    return Insn(GOTOX, register(("gotox", dst), "dst", dst))


def exit_() -> Insn:
    """Return r0 to the caller, or from the program."""
    return Insn(EXIT)
