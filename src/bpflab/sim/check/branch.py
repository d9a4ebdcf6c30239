"""Jumps: which ways are possible, and what each of them tells about the operands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.insn import GOTOL, JA, MAY_GOTO, InsnClass, Source
from bpflab.sim.check import bounds
from bpflab.sim.check.learn import learn
from bpflab.sim.check.state import Path
from bpflab.sim.check.value import WORD, constant

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State


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
    if learn(taken, insn, first, second, holds=True):
        _wait(checker, taken, state.pc)
    return state.pc + 1 if learn(state, insn, first, second, holds=False) else None
