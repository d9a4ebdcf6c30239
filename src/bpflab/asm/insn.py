"""One instruction as a value, and its eight bytes in both byte orders.

A big-endian target swaps not only the bytes of off and imm but also the two register nibbles: dst
is the low nibble on little-endian, the high one on big-endian (linux/bpf.h, struct bpf_insn).
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import (
    CALL,
    CLASS_MASK,
    INSN_SIZE,
    LD_IMM64,
    OPERATION_MASK,
    CallSource,
    InsnClass,
    WideSource,
)
from bpflab.abi.layout import ByteOrder
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ByteOrder", "Insn", "decode", "encode", "imm64", "is_subprogram_reference", "signed32", "split_imm64"]

_LITTLE: Final = struct.Struct("<BBhi")
_BIG: Final = struct.Struct(">BBhi")


@dataclass(frozen=True, slots=True)
class Insn:
    """One instruction slot. `off` and `imm` are signed, as the kernel's struct bpf_insn has them.

    A 64-bit immediate load is two slots: `imm` of the second, whose opcode is 0, is the high word.
    """

    opcode: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0

    @property
    def cls(self) -> InsnClass:
        """The instruction class."""
        return InsnClass(self.opcode & CLASS_MASK)

    @property
    def operation(self) -> int:
        """The operation bits of ALU and JMP classes: an `AluOp` or `JmpOp` value."""
        return self.opcode & OPERATION_MASK

    @property
    def is_wide(self) -> bool:
        """Whether this is the first slot of a 64-bit immediate load."""
        return self.opcode == LD_IMM64


def decode(code: bytes, byteorder: ByteOrder = sys.byteorder) -> list[Insn]:
    """Instructions of a program's bytes, one for every eight bytes.

    Any eight bytes decode; `encode` gives the same bytes back. Raises `AssemblyError` when these are
    no bytes, or no multiple of eight.
    """
    if not isinstance(code, bytes | bytearray | memoryview):
        raise AssemblyError(f"{code!r} is no program as bytes: give bytes, eight for every instruction")
    if len(code) % INSN_SIZE:
        raise AssemblyError(
            f"a program of {len(code)} bytes ends inside an instruction: give a multiple of {INSN_SIZE} bytes"
        )
    if byteorder == "little":
        return [Insn(op, regs & 15, regs >> 4, off, imm) for op, regs, off, imm in _LITTLE.iter_unpack(code)]
    return [Insn(op, regs >> 4, regs & 15, off, imm) for op, regs, off, imm in _BIG.iter_unpack(code)]


def encode(insns: Iterable[Insn], byteorder: ByteOrder = sys.byteorder) -> bytes:
    """Bytes of instructions, eight each. Raises `AssemblyError` for a field that does not fit."""
    pack = _LITTLE.pack if byteorder == "little" else _BIG.pack
    low, high = (0, 4) if byteorder == "little" else (4, 0)
    parts = []
    for insn in insns:
        if (insn.dst | insn.src) & ~15:
            raise AssemblyError(f"{insn} has a register that does not fit four bits: give 0 to 15")
        try:
            parts.append(pack(insn.opcode, insn.dst << low | insn.src << high, insn.off, insn.imm))
        except struct.error as error:
            raise AssemblyError(f"{insn} does not fit eight bytes: {error}") from error
    return b"".join(parts)


def imm64(first: Insn, second: Insn) -> int:
    """Join the two slots of a wide load to the unsigned 64-bit number they hold."""
    return (first.imm & 0xFFFFFFFF) | (second.imm & 0xFFFFFFFF) << 32


def split_imm64(value: int) -> tuple[int, int]:
    """Split a 64-bit number into the signed low and high words that a wide load's slots hold."""
    return signed32(value), signed32(value >> 32)


def signed32(value: int) -> int:
    """Read the low 32 bits of a number as signed."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def is_subprogram_reference(insn: Insn) -> bool:
    """Whether an instruction calls a subprogram or loads the address of one, `imm` slots on."""
    if insn.opcode == CALL:
        return insn.src == CallSource.SUBPROG
    return insn.opcode == LD_IMM64 and insn.src == WideSource.FUNC
