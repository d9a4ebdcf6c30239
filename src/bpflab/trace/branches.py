"""Conditional jumps in words: what was compared, and the values that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import MAY_GOTO, JmpOp
from bpflab.trace.model import Branch

if TYPE_CHECKING:
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


def branch(step: Step, origins: Origins, pointers: Pointers) -> Branch:
    """Put a conditional jump that was executed into words."""
    taken = bool(step.taken)
    if step.insn.opcode == MAY_GOTO:
        return Branch(step.pc, taken, "no iterations left")
    operation = JmpOp(step.insn.operation)
    left = origins.register(step.insn.dst, step.before[step.insn.dst] or 0)
    right = origins.operand(step)
    left_name = _name(left, f"r{step.insn.dst}", pointers)
    right_name = _against(left, right, f"r{step.insn.src}", pointers, operation)
    equal = operation in EQUALITY and (operation == JmpOp.JEQ) == taken
    facts = [] if equal and right.constant else [_fact(left, left_name, pointers)]
    facts += [] if right.constant else [_fact(right, right_name, pointers)]
    shown = f"{_order(left, operation)}{left_name} {SYMBOLS[operation]} {right_name}"
    return Branch(step.pc, taken, shown, tuple(fact for fact in facts if fact))


def _name(value: Value, register: str, pointers: Pointers) -> str:
    if value.name:
        return value.name
    return pointers.text(value.number) or register


def _against(left: Value, right: Value, register: str, pointers: Pointers, operation: JmpOp) -> str:
    if not right.constant:
        return _name(right, register, pointers)
    if not right.number and (pointers.text(left.number) or left.name.startswith("&")):
        return "NULL"
    return left.write(right.number) if operation in EQUALITY or not (left.bits and left.bits.swapped) else str(right)


def _fact(value: Value, name: str, pointers: Pointers) -> str:
    pointer = pointers.text(value.number)
    if pointer:
        return "" if pointer == name or name.startswith("&") else f"{name} is {pointer}"
    return f"{name} is {'NULL' if name.startswith('&') and not value.number else value}"


def _order(left: Value, operation: JmpOp) -> str:
    """Say that a number is compared as the machine loaded it, where its bytes stand in reverse."""
    return "" if operation in EQUALITY or not (left.bits and left.bits.swapped) else "bytes reversed: "
