"""What a comparison tells about its operands: bounds, null or not, how far the packet reaches.

After check_cond_jmp_op, mark_ptr_or_null_regs and find_good_pkt_pointers in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import InsnClass, JmpOp, Source
from bpflab.sim.check import bounds
from bpflab.sim.check.types import NEVER_NULL, Kind
from bpflab.sim.check.value import AT_END, BEYOND_END, Value, constant

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
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


def learn(state: State, insn: Insn, first: Value, second: Value, *, holds: bool) -> bool:
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
        return _learn_range(state, insn, first, second, op if holds else bounds.OPPOSITE.get(op, op))
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
    if is_null and pointer.reference and not _is_cast(state, pointer):
        state.references = tuple(each for each in state.references if each.id != pointer.reference)
    state.replace(
        lambda other: other.nullable and other.id == pointer.id,
        lambda other: constant(0) if is_null else _known(other),
    )
    return True


def _known(pointer: Value) -> Value:
    """Give a pointer that is not null; one to a value with a lock stays known from others to the same map."""
    locked = pointer.map is not None and pointer.map.res_lock is not None
    return pointer._replace(nullable=False, id=pointer.id if locked else 0)


def _is_cast(state: State, pointer: Value) -> bool:
    """Whether a pointer that may be null is another view of something that is held and was checked."""
    return any(each.reference == pointer.reference and not each.nullable for each in state.values())


def _learn_range(state: State, insn: Insn, first: Value, second: Value, true: JmpOp) -> bool:
    """Learn from `pointer < end` and its like, which is true, how many bytes of the packet are there."""
    reg = insn.dst
    if _ENDS.get(second.kind) is first.kind and first.kind is not second.kind and true in _MIRRORED:
        first, second, true, reg = second, first, _MIRRORED[true], insn.src
    if _ENDS.get(first.kind) is not second.kind or true not in _MIRRORED:
        return True
    if _contradicts(first, true):
        return False
    if true in {JmpOp.JGT, JmpOp.JGE}:
        if first.kind is Kind.PACKET:
            state.regs[reg] = first._replace(range=BEYOND_END if true is JmpOp.JGT else AT_END)
    elif first.vague or first.off + first.high <= MAX_PACKET_OFFSET:
        _reach(state, first, first.off + (true is JmpOp.JLT))
    return True


def _contradicts(pointer: Value, true: JmpOp) -> bool:
    """Whether a pointer that was found at the packet's end or beyond cannot compare so."""
    if pointer.range == BEYOND_END:
        return true in {JmpOp.JLE, JmpOp.JLT}
    return pointer.range == AT_END and true is JmpOp.JLT


def _reach(state: State, pointer: Value, size: int) -> None:
    state.replace(
        lambda other: other.kind is pointer.kind and other.id == pointer.id,
        lambda other: other._replace(range=max(other.range, size)),
    )
