"""Jumps: which ways are possible, and what each of them tells about the operands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import GOTOL, JA, MAY_GOTO, InsnClass, JmpOp, Source
from bpflab.sim.check import bounds
from bpflab.sim.check.state import Path
from bpflab.sim.check.types import NEVER_NULL, Kind
from bpflab.sim.check.value import WORD, Value, constant

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State

MAX_PACKET_OFFSET: Final = 0xFFFF
"""A packet pointer that may be further away than this teaches nothing (MAX_PACKET_OFF)."""

_EQUALITY: Final = frozenset({JmpOp.JEQ, JmpOp.JNE})
_MIRRORED: Final = {
    JmpOp.JGT: JmpOp.JLT,
    JmpOp.JLT: JmpOp.JGT,
    JmpOp.JGE: JmpOp.JLE,
    JmpOp.JLE: JmpOp.JGE,
}
_ENDS: Final = {Kind.PACKET: Kind.PACKET_END, Kind.PACKET_META: Kind.PACKET}
"""What a pointer is compared with to learn how far it may be read."""


def jump(checker: Checker, state: State, insn: Insn) -> int | None:
    """Follow one jump; the second possible way is left waiting. None if no way is possible."""
    if insn.opcode in {JA, GOTOL}:
        return _always(checker, state, insn)
    if insn.opcode == MAY_GOTO:
        if insn.src or insn.dst or insn.imm:
            checker.refuse(f"invalid may_goto imm {insn.imm}", Errno.EINVAL)
        _wait(checker, state.fork(state.pc + 1 + insn.off), state.pc)
        return state.pc + 1
    return _conditional(checker, state, insn)


def _always(checker: Checker, state: State, insn: Insn) -> int:
    unused = insn.off if insn.opcode == GOTOL else insn.imm
    if unused or insn.src or insn.dst:
        checker.refuse("BPF_JA uses reserved fields", Errno.EINVAL)
    return state.pc + 1 + (insn.imm if insn.opcode == GOTOL else insn.off)


def _wait(checker: Checker, state: State, came_from: int) -> None:
    state.path = Path(state.path, state.pc, tuple(enumerate(state.regs)), came_from)
    checker.waiting.append(state)


def _conditional(checker: Checker, state: State, insn: Insn) -> int | None:
    if insn.imm if insn.opcode & Source.X else insn.src:
        checker.refuse("BPF_JMP/JMP32 uses reserved fields", Errno.EINVAL)
    first = checker.read(state, insn.dst)
    wide = insn.cls is InsnClass.JMP
    if insn.opcode & Source.X:
        second = checker.read(state, insn.src)
    else:
        second = constant(insn.imm & (WORD if wide else bounds.HALF))
    taken = state.fork(state.pc + 1 + insn.off)
    if _learn(taken, insn, first, second, holds=True):
        _wait(checker, taken, state.pc)
    return state.pc + 1 if _learn(state, insn, first, second, holds=False) else None


def _learn(state: State, insn: Insn, first: Value, second: Value, *, holds: bool) -> bool:
    """Put into a state what a comparison tells if it holds, or does not; False if that cannot be."""
    op, bits = JmpOp(insn.operation), 64 if insn.cls is InsnClass.JMP else 32
    if first.kind is Kind.SCALAR and second.kind is Kind.SCALAR:
        found = bounds.narrowed(op, first, second, bits, holds=holds)
        if found is not None:
            _narrow(state, insn.dst, found[0])
            if insn.opcode & Source.X:
                _narrow(state, insn.src, _both(*found) if insn.src == insn.dst else found[1])
        return found is not None
    if bits == 64 and op in _EQUALITY and second.constant == 0 and first.is_pointer:
        return _learn_null(state, first, is_null=(op is JmpOp.JEQ) is holds)
    if bits == 64 and insn.opcode & Source.X:
        _learn_range(state, op, first, second, holds=holds)
    return True


def _both(first: Value, second: Value) -> Value:
    """Join what was learnt of a register that is compared with itself, as the kernel does."""
    low, high = max(first.low, second.low), min(first.high, second.high)
    return first._replace(low=low, high=high) if low <= high else first


def _narrow(state: State, reg: int, value: Value) -> None:
    state.regs[reg] = value
    if value.id:
        state.replace(
            lambda other: other.kind is Kind.SCALAR and other.id == value.id,
            lambda other: other._replace(low=max(other.low, value.low), high=min(other.high, value.high)),
        )


def _learn_null(state: State, pointer: Value, *, is_null: bool) -> bool:
    if not pointer.nullable:
        return not (is_null and pointer.kind in NEVER_NULL)
    if is_null and pointer.reference:
        state.references = tuple(each for each in state.references if each.id != pointer.reference)
    state.replace(
        lambda other: other.nullable and other.id == pointer.id,
        lambda other: constant(0) if is_null else other._replace(nullable=False, id=0),
    )
    return True


def _learn_range(state: State, op: JmpOp, first: Value, second: Value, *, holds: bool) -> None:
    """Learn from `pointer < end` and its like how many bytes of the packet are there."""
    if _ENDS.get(second.kind) is first.kind and first.kind is not second.kind and op in _MIRRORED:
        first, second, op = second, first, _MIRRORED[op]
    if _ENDS.get(first.kind) is not second.kind or op not in _MIRRORED:
        return
    if not first.vague and first.off + first.high > MAX_PACKET_OFFSET:
        return
    true = op if holds else bounds.OPPOSITE[op]
    if true not in {JmpOp.JLT, JmpOp.JLE}:
        return
    size = first.off + (true is JmpOp.JLT)
    state.replace(
        lambda other: other.kind is first.kind and other.id == first.id,
        lambda other: other._replace(range=max(other.range, size)),
    )
