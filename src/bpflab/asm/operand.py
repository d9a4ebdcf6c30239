"""Registers, and the checks that every instruction's operands pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from bpflab.abi.insn import REG_COUNT, Size
from bpflab.asm.insn import signed32
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Collection

Call = tuple[object, ...]
"""A call as it was written: the function's name, then its arguments."""

Bounds = tuple[int, int]
S16: Final = (-0x8000, 0x7FFF)
S32: Final = (-0x80000000, 0x7FFFFFFF)
U32: Final = (0, 0xFFFFFFFF)
ANY32: Final = (-0x80000000, 0xFFFFFFFF)
"""Signed or unsigned: the instruction keeps the bits."""
ANY64: Final = (-1 << 63, (1 << 64) - 1)

_ADVICE_64: Final = "load it with ld_imm64 into a register first"


_NUMBERS: Final = range(REG_COUNT)


@dataclass(frozen=True, slots=True)
class Reg:
    """A register, r0 to r10. Not a number, so that `r1 + 1` is an error and not an immediate."""

    number: int

    def __post_init__(self) -> None:
        if self.number not in _NUMBERS:
            raise AssemblyError(f"there is no register {self.number!r}: BPF has r0 to r{REG_COUNT - 1}")

    def __str__(self) -> str:
        return f"r{self.number}"

    __repr__ = __str__


r0: Final = Reg(0)
r1: Final = Reg(1)
r2: Final = Reg(2)
r3: Final = Reg(3)
r4: Final = Reg(4)
r5: Final = Reg(5)
r6: Final = Reg(6)
r7: Final = Reg(7)
r8: Final = Reg(8)
r9: Final = Reg(9)
r10: Final = Reg(10)

B: Final = Size.B
H: Final = Size.H
W: Final = Size.W
DW: Final = Size.DW


def refuse(call: Call, why: str) -> NoReturn:
    """Raise AssemblyError that shows the call as it was written, and why it is wrong."""
    name, *arguments = call
    written = ", ".join(argument.name if isinstance(argument, Size) else repr(argument) for argument in arguments)
    raise AssemblyError(f"{name}({written}): {why}")


def register(call: Call, what: str, value: object) -> int:
    """Return a register's number."""
    if not isinstance(value, Reg):
        refuse(call, f"{what} is {value!r}, but must be a register, r0 to r{REG_COUNT - 1}")
    return value.number


def number(call: Call, what: str, value: object, bounds: Bounds, advice: str = "") -> int:
    """Return an integer that lies between two bounds, both included."""
    low, high = bounds
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(call, f"{what} is {value!r}, but must be a whole number")
    if not low <= value <= high:
        refuse(call, f"{what} {value} is not between {low} and {high}" + (f": {advice}" if advice else ""))
    return value


def offset16(call: Call, value: object, what: str = "the offset") -> int:
    """Return an offset that fits 16 signed bits."""
    return number(call, what, value, S16)


def imm32(call: Call, value: object, *, sign_extended: bool) -> int:
    """Return an immediate as the 32 signed bits that an instruction holds.

    A 64-bit operation extends the sign, so there 0xffffffff would become -1 and is refused; a 32-bit
    operation takes signed and unsigned numbers.
    """
    bounds, advice = (S32, _ADVICE_64) if sign_extended else (ANY32, "")
    return signed32(number(call, "the immediate", value, bounds, advice))


def size_of(call: Call, value: object, allowed: Collection[Size] = (B, H, W, DW)) -> Size:
    """Return a width that the instruction has."""
    if not isinstance(value, Size) or value not in allowed:
        names = ", ".join(size.name for size in allowed)
        given = value.name if isinstance(value, Size) else repr(value)
        refuse(call, f"the size is {given}, but must be one of {names}")
    return value
