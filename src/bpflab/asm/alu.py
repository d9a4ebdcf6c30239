"""Arithmetic, moves and byte swaps (RFC 9669 sections 4.1 and 4.2).

A name with 32 works on the low half and clears the high half. The second operand is a register or
an immediate, which a 64-bit operation extends with its sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bpflab.abi.insn import ADDR_SPACE_CAST_OFF, AluOp, InsnClass, Source
from bpflab.asm.insn import Insn
from bpflab.asm.operand import Call, Reg, imm32, number, refuse, register

_SHIFTS: Final = frozenset({AluOp.LSH, AluOp.RSH, AluOp.ARSH})
_DIVISIONS: Final = frozenset({AluOp.DIV, AluOp.MOD})


@dataclass(frozen=True, slots=True)
class Binary:
    """An operation on two operands, called as `add(dst, operand)`; the result is in dst.

    Raises AssemblyError for an immediate that does not fit, a shift by the width or more, and a
    division by the immediate 0. `off` 1 makes a division signed.
    """

    name: str
    op: AluOp
    cls: InsnClass
    off: int = 0

    def __call__(self, dst: Reg, operand: Reg | int) -> Insn:
        """Make the instruction."""
        call = (self.name, dst, operand)
        number = register(call, "dst", dst)
        if isinstance(operand, Reg):
            return Insn(self.cls | self.op | Source.X, number, operand.number, self.off)
        return Insn(self.cls | self.op | Source.K, number, 0, self.off, self._immediate(call, operand))

    def _immediate(self, call: Call, value: int) -> int:
        imm = imm32(call, value, sign_extended=self.cls is InsnClass.ALU64)
        width = 64 if self.cls is InsnClass.ALU64 else 32
        if self.op in _SHIFTS and not 0 <= imm < width:
            refuse(call, f"a shift of {width} bits goes from 0 to {width - 1}")
        if self.op in _DIVISIONS and imm == 0:
            refuse(call, "a division by the immediate 0 is refused by every kernel")
        return imm


@dataclass(frozen=True, slots=True)
class SignedMove:
    """A move that extends the sign of the low `bits` of src, called as `movs8(dst, src)`."""

    name: str
    bits: int
    cls: InsnClass

    def __call__(self, dst: Reg, src: Reg) -> Insn:
        """Make the instruction."""
        call = (self.name, dst, src)
        numbers = register(call, "dst", dst), register(call, "src", src)
        return Insn(self.cls | AluOp.MOV | Source.X, *numbers, self.bits)


@dataclass(frozen=True, slots=True)
class Swap:
    """A change of byte order in a register, called as `be16(dst)`; the bits above are cleared."""

    name: str
    bits: int
    cls: InsnClass
    source: Source

    def __call__(self, dst: Reg) -> Insn:
        """Make the instruction."""
        number = register((self.name, dst), "dst", dst)
        return Insn(self.cls | AluOp.END | self.source, number, imm=self.bits)


add: Final = Binary("add", AluOp.ADD, InsnClass.ALU64)
sub: Final = Binary("sub", AluOp.SUB, InsnClass.ALU64)
mul: Final = Binary("mul", AluOp.MUL, InsnClass.ALU64)
div: Final = Binary("div", AluOp.DIV, InsnClass.ALU64)
sdiv: Final = Binary("sdiv", AluOp.DIV, InsnClass.ALU64, 1)
mod: Final = Binary("mod", AluOp.MOD, InsnClass.ALU64)
smod: Final = Binary("smod", AluOp.MOD, InsnClass.ALU64, 1)
or_: Final = Binary("or_", AluOp.OR, InsnClass.ALU64)
and_: Final = Binary("and_", AluOp.AND, InsnClass.ALU64)
xor: Final = Binary("xor", AluOp.XOR, InsnClass.ALU64)
lsh: Final = Binary("lsh", AluOp.LSH, InsnClass.ALU64)
rsh: Final = Binary("rsh", AluOp.RSH, InsnClass.ALU64)
arsh: Final = Binary("arsh", AluOp.ARSH, InsnClass.ALU64)
mov: Final = Binary("mov", AluOp.MOV, InsnClass.ALU64)

add32: Final = Binary("add32", AluOp.ADD, InsnClass.ALU)
sub32: Final = Binary("sub32", AluOp.SUB, InsnClass.ALU)
mul32: Final = Binary("mul32", AluOp.MUL, InsnClass.ALU)
div32: Final = Binary("div32", AluOp.DIV, InsnClass.ALU)
sdiv32: Final = Binary("sdiv32", AluOp.DIV, InsnClass.ALU, 1)
mod32: Final = Binary("mod32", AluOp.MOD, InsnClass.ALU)
smod32: Final = Binary("smod32", AluOp.MOD, InsnClass.ALU, 1)
or32: Final = Binary("or32", AluOp.OR, InsnClass.ALU)
and32: Final = Binary("and32", AluOp.AND, InsnClass.ALU)
xor32: Final = Binary("xor32", AluOp.XOR, InsnClass.ALU)
lsh32: Final = Binary("lsh32", AluOp.LSH, InsnClass.ALU)
rsh32: Final = Binary("rsh32", AluOp.RSH, InsnClass.ALU)
arsh32: Final = Binary("arsh32", AluOp.ARSH, InsnClass.ALU)
mov32: Final = Binary("mov32", AluOp.MOV, InsnClass.ALU)

movs8: Final = SignedMove("movs8", 8, InsnClass.ALU64)
movs16: Final = SignedMove("movs16", 16, InsnClass.ALU64)
movs32: Final = SignedMove("movs32", 32, InsnClass.ALU64)
mov32s8: Final = SignedMove("mov32s8", 8, InsnClass.ALU)
mov32s16: Final = SignedMove("mov32s16", 16, InsnClass.ALU)

le16: Final = Swap("le16", 16, InsnClass.ALU, Source.K)
le32: Final = Swap("le32", 32, InsnClass.ALU, Source.K)
le64: Final = Swap("le64", 64, InsnClass.ALU, Source.K)
be16: Final = Swap("be16", 16, InsnClass.ALU, Source.X)
be32: Final = Swap("be32", 32, InsnClass.ALU, Source.X)
be64: Final = Swap("be64", 64, InsnClass.ALU, Source.X)
bswap16: Final = Swap("bswap16", 16, InsnClass.ALU64, Source.K)
bswap32: Final = Swap("bswap32", 32, InsnClass.ALU64, Source.K)
bswap64: Final = Swap("bswap64", 64, InsnClass.ALU64, Source.K)


def neg(dst: Reg) -> Insn:
    """Negate dst: `dst = -dst`."""
    return Insn(InsnClass.ALU64 | AluOp.NEG, register(("neg", dst), "dst", dst))


def neg32(dst: Reg) -> Insn:
    """Negate the low half of dst and clear the high half."""
    return Insn(InsnClass.ALU | AluOp.NEG, register(("neg32", dst), "dst", dst))


def addr_space_cast(dst: Reg, src: Reg, to_space: int, from_space: int) -> Insn:
    """Cast an arena pointer (address space 1) to a kernel pointer (0), or back (linux/bpf.h)."""
    call = ("addr_space_cast", dst, src, to_space, from_space)
    spaces = [number(call, "an address space", space, (0, 0x7FFF)) for space in (to_space, from_space)]
    numbers = register(call, "dst", dst), register(call, "src", src)
    return Insn(InsnClass.ALU64 | AluOp.MOV | Source.X, *numbers, ADDR_SPACE_CAST_OFF, spaces[0] << 16 | spaces[1])
