"""A number and where it came from: the name of a packet field, of a variable, of what a helper returned.

Names follow a number through what compilers do to it: shifts, masks and byte swaps of packet fields keep their name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import AluOp
from bpflab.abi.packet_headers import Form
from bpflab.trace.packet import written

if TYPE_CHECKING:
    from bpflab.trace.packet import PacketNames

LONGEST_NAME: Final = 48
"""Longer expressions are forgotten: they explain no more than the number does."""
HEX_FROM: Final = 1 << 16
SYMBOLS: Final = {
    AluOp.ADD: "+",
    AluOp.SUB: "-",
    AluOp.MUL: "*",
    AluOp.DIV: "/",
    AluOp.OR: "|",
    AluOp.AND: "&",
    AluOp.LSH: "<<",
    AluOp.RSH: ">>",
    AluOp.MOD: "%",
    AluOp.XOR: "^",
    AluOp.ARSH: ">>",
}


@dataclass(frozen=True, slots=True)
class PacketBits:
    """Bits of the packet, `width` of them from bit `start` on, that a number was made of.

    The number is what they are in network byte order, shifted left by `shift`; or, where `swapped` gives a number of
    bytes, that with its bytes in reverse, as a little-endian machine loads it.
    """

    start: int
    width: int
    shift: int = 0
    swapped: int = 0

    def straight(self, number: int) -> int:
        """Return the number as it stands in the packet, of this number or of one that it is compared with."""
        return self.unswapped(number) >> self.shift

    def exact(self, number: int) -> bool:
        """Whether no bit of a number is lost by `straight`."""
        return self.unswapped(number) == self.straight(number) << self.shift and not (
            self.swapped and number >> self.swapped * 8
        )

    def unswapped(self, number: int) -> int:
        """Return a number with the bytes in network byte order."""
        if not self.swapped:
            return number
        return int.from_bytes((number & ((1 << self.swapped * 8) - 1)).to_bytes(self.swapped, "little"), "big")


@dataclass(frozen=True, slots=True)
class Value:
    """A number with the words for where it came from, empty where that is not known.

    `form` and `bits` say how to write it, if it is bits of the packet; `text` stands for the number where that says
    more, as NULL does. `constant` numbers stand in the program itself.
    """

    number: int
    name: str = ""
    bits: PacketBits | None = None
    form: Form = Form.NUMBER
    constant: bool = False

    def write(self, number: int) -> str:
        """Write a number as one of this kind: an address as an address, and so on."""
        if self.bits is None:
            return number_text(number)
        straight, width = self.bits.straight(number), self.bits.width
        fits = straight < 1 << width and self.bits.exact(number)
        return written(self.form, straight, width) if fits else number_text(number)

    @property
    def operand(self) -> str:
        """The name, or the number, as a part of a larger expression."""
        if not self.name:
            return number_text(self.number)
        if self.bits and self.bits.shift and not self.bits.swapped:
            return f"{self.name} * {1 << self.bits.shift}"
        return f"({self.name})" if " " in self.name and not self.name.startswith("(") else self.name

    def __str__(self) -> str:
        return self.write(self.number)


def number_text(number: int, *, signed: bool = True) -> str:
    """Write a number: small ones in decimal, negative ones too unless it is unsigned, others in hexadecimal."""
    for width in (64, 32) if signed else ():
        negative = number - (1 << width)
        if -4096 <= negative < 0:
            return str(negative)
    return str(number) if number < HEX_FROM else f"{number:#x}"


def packet_value(number: int, names: PacketNames, bits: PacketBits) -> Value:
    """Make the value of bits of the packet, named after the field they are."""
    bits = _narrowed(bits, number, names)
    found = names.field(bits.start, bits.width)
    name = names.name(bits.start, bits.width)
    return Value(number, name, bits, found.form if found else Form.NUMBER)


def _narrowed(bits: PacketBits, number: int, names: PacketNames) -> PacketBits:
    """Take a part of one field and the whole of the next for the latter, where the former adds nothing to the number.

    Compilers leave bits in a mask that they know to be zero.
    """
    found = names.fields(bits.start, bits.width)
    if len(found) < 2 or found[0].start == bits.start or found[-1].start + found[-1].width != bits.start + bits.width:
        return bits
    fits = 0 < bits.straight(number) < 1 << found[-1].width
    return replace(bits, start=found[-1].start, width=found[-1].width) if fits else bits


def swapped(value: Value, result: int, size: int, names: PacketNames) -> Value:
    """Follow a value through the exchange of its bytes, `size` of them: htons, ntohl and the like."""
    if value.bits and value.bits.width + value.bits.shift <= size * 8:
        turned = 0 if value.bits.swapped == size else size if not value.bits.swapped else None
        if turned is not None:
            return packet_value(result, names, replace(value.bits, swapped=turned))
    return Value(result, _short(f"swapped({value.name})") if value.name else "", constant=value.constant)


def computed(operation: int, left: Value, right: Value, result: int, names: PacketNames) -> Value:
    """Follow two values through an operation of the ALU."""
    if left.bits and right.constant:
        bits = _bits_after(operation, left.bits, right.number)
        if bits is not None and bits.width > 0:
            return packet_value(result, names, bits)
    if result == left.number and right.constant and (operation == AluOp.AND or not right.number):
        return left
    whole = joined(left.bits, right.bits) if operation in {AluOp.OR, AluOp.ADD} else None
    if whole is not None:
        return packet_value(result, names, whole)
    if left.constant and right.constant:
        return Value(result, constant=True)
    if not (left.name or right.name) or operation not in SYMBOLS:
        return Value(result)
    return Value(result, _short(f"{left.operand} {SYMBOLS[AluOp(operation)]} {right.operand}"))


def joined(left: PacketBits | None, right: PacketBits | None) -> PacketBits | None:
    """Join two bytes of the packet that were loaded one by one: in network byte order, or in reverse."""
    if left is None or right is None or not left.width == right.width == 8 or left.swapped or right.swapped:
        return None
    low, high = sorted((left, right), key=lambda bits: bits.shift)
    if (low.shift, high.shift) != (0, 8) or abs(low.start - high.start) != 8:
        return None
    return PacketBits(min(low.start, high.start), 16, swapped=2 if low.start < high.start else 0)


def _bits_after(operation: int, bits: PacketBits, number: int) -> PacketBits | None:
    if operation == AluOp.AND:
        return _masked(bits, number)
    if bits.swapped:
        return None
    if operation == AluOp.LSH and bits.shift + bits.width + number <= 64:
        return replace(bits, shift=bits.shift + number)
    if operation == AluOp.RSH:
        lost = max(number - bits.shift, 0)
        return replace(bits, width=bits.width - lost, shift=max(bits.shift - number, 0))
    return None


def _masked(bits: PacketBits, mask: int) -> PacketBits | None:
    """Keep the bits under a mask, if they lie together."""
    mask = bits.unswapped(mask)
    held = mask & ((1 << bits.width) - 1) << bits.shift
    low = (held & -held).bit_length() - 1
    run = held >> max(low, 0)
    if not held or run & run + 1:
        return None
    top = bits.shift + bits.width - held.bit_length()
    return PacketBits(bits.start + top, run.bit_length(), low, bits.swapped)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else ""
