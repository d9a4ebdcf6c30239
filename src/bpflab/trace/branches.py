"""Conditional jumps in words: what was compared, and the values that decided."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import MAY_GOTO, InsnClass, JmpOp
from bpflab.trace.model import Branch
from bpflab.trace.values import number_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.asm.insn import Insn
    from bpflab.sim.engine import Step
    from bpflab.trace.origins import Origins
    from bpflab.trace.pointers import Pointers
    from bpflab.trace.values import Value

SYMBOLS: Final = {
    JmpOp.JEQ: "==",
    JmpOp.JNE: "!=",
    JmpOp.JGT: ">",
    JmpOp.JGE: ">=",
    JmpOp.JLT: "<",
    JmpOp.JLE: "<=",
    JmpOp.JSGT: ">",
    JmpOp.JSGE: ">=",
    JmpOp.JSLT: "<",
    JmpOp.JSLE: "<=",
    JmpOp.JSET: "&",
}
EQUALITY: Final = frozenset({JmpOp.JEQ, JmpOp.JNE})
UNSIGNED: Final = frozenset({JmpOp.JGT, JmpOp.JGE, JmpOp.JLT, JmpOp.JLE, JmpOp.JSET})
HALF: Final = (1 << 32) - 1


def branch(step: Step, origins: Origins, pointers: Pointers) -> Branch:
    """Put a conditional jump that was executed into words."""
    insn, taken = step.insn, bool(step.taken)
    if insn.opcode == MAY_GOTO:
        return Branch(step.pc, taken, "no iterations left")
    left = origins.register(insn.dst, step.before[insn.dst] or 0)
    compared = Comparison(insn, pointers, left, origins.operand(step))
    decided = insn.operation in EQUALITY and (insn.operation == JmpOp.JEQ) == taken
    return Branch(step.pc, taken, compared.condition, tuple(compared.facts(decided=decided)))


class Comparison:
    """Two values that a jump compares. A jump of 32 bits looks at the low halves alone."""

    def __init__(self, insn: Insn, pointers: Pointers, left: Value, right: Value) -> None:
        half = insn.cls is InsnClass.JMP32
        self._pointers = pointers
        self._operation = JmpOp(insn.operation)
        self._left = self._low(left) if half else left
        self._right = self._low(right) if half else right
        self._names = self._name(self._left, f"r{insn.dst}"), self._name(self._right, f"r{insn.src}")

    @property
    def condition(self) -> str:
        """The question, such as `ip.proto == 1`."""
        left, right = self._names[0], self._constant if self._right.constant else self._names[1]
        reversed_ = "in reversed byte order, " if self._is_reversed else ""
        return f"{reversed_}{left} {SYMBOLS[self._operation]} {right}"

    def facts(self, *, decided: bool) -> Iterator[str]:
        """Yield what the values are, as far as it is not said; `decided`: it is known that both are equal."""
        both = ((self._left, self._names[0]), (self._right, self._names[1]))
        for value, name in both:
            pointer = self._pointers.text(value.number)
            if value.constant or pointer == name or (decided and self._right.constant):
                continue
            if name.startswith("&"):
                if not value.number and not self._right.constant:
                    yield f"{name} is NULL"
                continue
            yield f"{name} is {pointer or self._text(value)}"

    @property
    def _is_reversed(self) -> bool:
        bits = self._left.bits
        return self._operation not in EQUALITY and bool(bits and bits.swapped)

    @property
    def _constant(self) -> str:
        left, number = self._left, self._right.number
        if not number and (self._pointers.text(left.number) or left.name.startswith("&")):
            return "NULL"
        plain = self._is_reversed or left.bits is None or self._is_scaled(left)
        return self._text(self._right) if plain else left.write(number)

    def _text(self, value: Value) -> str:
        if self._is_reversed or value.bits is None or self._is_scaled(value):
            return number_text(value.number, signed=self._operation not in UNSIGNED)
        return str(value)

    def _is_scaled(self, value: Value) -> bool:
        """Whether a field was shifted, and what it is compared with is none of its values."""
        bits = value.bits
        return bool(bits and bits.shift) and not (bits and self._right.constant and bits.exact(self._right.number))

    def _name(self, value: Value, register: str) -> str:
        pointer = "" if value.constant else self._pointers.text(value.number)
        if value.name and self._is_scaled(value):
            return value.operand
        return value.name if value.name and (not pointer or value.name.startswith("&")) else pointer or register

    def _low(self, value: Value) -> Value:
        if value.number <= HALF or self._pointers.text(value.number):
            return value
        return replace(value, number=value.number & HALF)
