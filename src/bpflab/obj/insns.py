"""Instructions as they lie in an object: read and patched by slot, eight bytes each, in its byte order.

Field places are those of RFC 9669 section 3: opcode, registers, off (16 bits), imm (32 bits). The source
register is the high nibble of its byte in little-endian programs, the low one in big-endian programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.insn import CALL, INSN_SIZE, LD_IMM64, CallSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.layout import ByteOrder


class Code:
    """A program's instructions in one buffer of its own; slots count from 0."""

    __slots__ = ("_order", "_shift", "data")

    def __init__(self, insns: bytes, byteorder: ByteOrder) -> None:
        self.data = bytearray(insns)
        self._order: ByteOrder = byteorder
        self._shift = 4 if byteorder == "little" else 0

    def __len__(self) -> int:
        return len(self.data) // INSN_SIZE

    def opcode(self, slot: int) -> int:
        """Read the opcode of a slot."""
        return self.data[slot * INSN_SIZE]

    def src(self, slot: int) -> int:
        """Read the source register, which says what a wide load or call refers to."""
        return self.data[slot * INSN_SIZE + 1] >> self._shift & 15

    def set_src(self, slot: int, value: int) -> None:
        """Write the source register."""
        at = slot * INSN_SIZE + 1
        self.data[at] = self.data[at] & ~(15 << self._shift) & 0xFF | value << self._shift

    def off(self, slot: int) -> int:
        """Read the signed 16-bit offset."""
        at = slot * INSN_SIZE + 2
        return int.from_bytes(self.data[at : at + 2], self._order, signed=True)

    def set_off(self, slot: int, value: int) -> None:
        """Write the signed 16-bit offset; OverflowError if it does not fit."""
        at = slot * INSN_SIZE + 2
        self.data[at : at + 2] = value.to_bytes(2, self._order, signed=True)

    def imm(self, slot: int) -> int:
        """Read the signed 32-bit immediate."""
        at = slot * INSN_SIZE + 4
        return int.from_bytes(self.data[at : at + 4], self._order, signed=True)

    def set_imm(self, slot: int, value: int) -> None:
        """Write the low 32 bits of a number as the immediate."""
        patch_imm(self.data, slot, value, self._order)

    def is_wide(self, slot: int) -> bool:
        """Say whether a slot is the first of a 64-bit immediate load, with its second behind it."""
        return self.opcode(slot) == LD_IMM64 and slot + 1 < len(self)

    def is_call(self, slot: int) -> bool:
        """Say whether a slot is a call by number, of whatever kind."""
        return self.opcode(slot) == CALL

    def is_subprogram_call(self, slot: int) -> bool:
        """Say whether a slot calls a function of the program."""
        return self.is_call(slot) and self.src(slot) == CallSource.SUBPROG

    def __iter__(self) -> Iterator[int]:
        """Go through the slots that start an instruction: second halves of wide loads are left out."""
        slot = 0
        while slot < len(self):
            yield slot
            slot += 2 if self.is_wide(slot) else 1


def patch_imm(insns: bytearray, slot: int, value: int, byteorder: ByteOrder) -> None:
    """Write an fd, or another number of 32 bits, into the immediate of a program's slot."""
    at = slot * INSN_SIZE + 4
    insns[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, byteorder)
