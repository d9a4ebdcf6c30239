"""Loads and stores (RFC 9669 sections 5.1, 5.2 and 5.5). Offsets are bytes, 16 bits signed."""

from __future__ import annotations

from typing import Final

from bpflab.abi.insn import InsnClass, Mode, Size
from bpflab.asm.insn import Insn, signed32
from bpflab.asm.operand import S32, Reg, number, offset16, register, size_of

SIGNED_SIZES: Final = (Size.B, Size.H, Size.W)
"""The widths of a load that extends the sign."""

SKB_SIZES: Final = (Size.B, Size.H, Size.W)
"""The widths of `ld_abs` and `ld_ind`."""


def ldx(size: Size, dst: Reg, base: Reg, off: int = 0) -> Insn:
    """Load `size` from base + off into dst, and clear the bits above."""
    call = ("ldx", size, dst, base, off)
    numbers = register(call, "dst", dst), register(call, "base", base)
    return Insn(InsnClass.LDX | Mode.MEM | size_of(call, size), *numbers, offset16(call, off))


def ldxs(size: Size, dst: Reg, base: Reg, off: int = 0) -> Insn:
    """Load B, H or W from base + off into dst, and fill the bits above with its sign."""
    call = ("ldxs", size, dst, base, off)
    numbers = register(call, "dst", dst), register(call, "base", base)
    return Insn(InsnClass.LDX | Mode.MEMSX | size_of(call, size, SIGNED_SIZES), *numbers, offset16(call, off))


def stx(size: Size, base: Reg, src: Reg, off: int = 0) -> Insn:
    """Store the low `size` of src at base + off."""
    call = ("stx", size, base, src, off)
    numbers = register(call, "base", base), register(call, "src", src)
    return Insn(InsnClass.STX | Mode.MEM | size_of(call, size), *numbers, offset16(call, off))


def st(size: Size, base: Reg, off: int, imm: int) -> Insn:
    """Store an immediate at base + off. It may be signed or unsigned, but must fit `size`.

    DW stores 32 bits with their sign extended.
    """
    call = ("st", size, base, off, imm)
    opcode = InsnClass.ST | Mode.MEM | size_of(call, size)
    bits = 8 * min(size.width, 4)
    high = (1 << 31) - 1 if size is Size.DW else (1 << bits) - 1
    value = number(call, "the immediate", imm, (-1 << (bits - 1), high))
    return Insn(opcode, register(call, "base", base), 0, offset16(call, off), signed32(value))


def ld_abs(size: Size, at: int) -> Insn:
    """Load B, H or W of the packet at a fixed offset into r0, in host byte order.

    For socket filters and tc; takes the skb from r6, clobbers r1 to r5, ends the program with 0 when
    the packet is shorter.
    """
    call = ("ld_abs", size, at)
    offset = number(call, "the packet offset", at, S32)
    return Insn(InsnClass.LD | Mode.ABS | size_of(call, size, SKB_SIZES), imm=offset)


def ld_ind(size: Size, index: Reg, at: int = 0) -> Insn:
    """Load B, H or W of the packet at register + offset into r0; else as `ld_abs`."""
    call = ("ld_ind", size, index, at)
    opcode = InsnClass.LD | Mode.IND | size_of(call, size, SKB_SIZES)
    offset = number(call, "the packet offset", at, S32)
    return Insn(opcode, src=register(call, "index", index), imm=offset)
