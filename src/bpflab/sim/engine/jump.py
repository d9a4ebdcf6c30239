"""Jumps: JMP compares whole registers, JMP32 their low halves (RFC 9669 section 4.3)."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import GOTOL, JA, MAY_GOTO, InsnClass, JmpOp, Source
from bpflab.sim.engine.step import HALF, WORD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.asm.insn import Insn
    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Build, Builder, Registers, StepFunction

    Condition = Callable[[int, int], bool]


def _conditions(bits: int) -> dict[JmpOp, Condition]:
    """Compare two unsigned operands; flipping both sign bits orders them as signed."""
    sign = 1 << (bits - 1)
    return {
        JmpOp.JEQ: operator.eq,
        JmpOp.JNE: operator.ne,
        JmpOp.JGT: operator.gt,
        JmpOp.JGE: operator.ge,
        JmpOp.JLT: operator.lt,
        JmpOp.JLE: operator.le,
        JmpOp.JSET: lambda a, b: bool(a & b),
        JmpOp.JSGT: lambda a, b: (a ^ sign) > (b ^ sign),
        JmpOp.JSGE: lambda a, b: (a ^ sign) >= (b ^ sign),
        JmpOp.JSLT: lambda a, b: (a ^ sign) < (b ^ sign),
        JmpOp.JSLE: lambda a, b: (a ^ sign) <= (b ^ sign),
    }


CONDITIONS: Final = {32: _conditions(32), 64: _conditions(64)}


def would_jump(insn: Insn, regs: Sequence[int], loops_left: int) -> bool:
    """Tell of the registers before a conditional jump whether it is taken, also when it leads to the next slot."""
    if insn.opcode == MAY_GOTO:
        return not loops_left
    bits, mask = (64, WORD) if insn.cls is InsnClass.JMP else (32, HALF)
    second = regs[insn.src] if insn.opcode & Source.X else insn.imm
    return CONDITIONS[bits][JmpOp(insn.operation)](regs[insn.dst] & mask, second & mask)


def _step64_imm(condition: Condition, build: Build) -> StepFunction:
    dst, value, after = build.insn.dst, build.insn.imm & WORD, build.after
    target = build.target(build.insn.off)

    def step(regs: Registers, _run: Run) -> int:
        return target if condition(+regs[dst], value) else after  # the plus refuses an unset register

    return step


def _step64_reg(condition: Condition, build: Build) -> StepFunction:
    dst, src, after = build.insn.dst, build.insn.src, build.after
    target = build.target(build.insn.off)

    def step(regs: Registers, _run: Run) -> int:
        return target if condition(+regs[dst], +regs[src]) else after

    return step


def _step32_imm(condition: Condition, build: Build) -> StepFunction:
    dst, value, after = build.insn.dst, build.insn.imm & HALF, build.after
    target = build.target(build.insn.off)

    def step(regs: Registers, _run: Run) -> int:
        return target if condition(regs[dst] & HALF, value) else after

    return step


def _step32_reg(condition: Condition, build: Build) -> StepFunction:
    dst, src, after = build.insn.dst, build.insn.src, build.after
    target = build.target(build.insn.off)

    def step(regs: Registers, _run: Run) -> int:
        return target if condition(regs[dst] & HALF, regs[src] & HALF) else after

    return step


_MAKERS: Final = {
    (InsnClass.JMP, Source.K): _step64_imm,
    (InsnClass.JMP, Source.X): _step64_reg,
    (InsnClass.JMP32, Source.K): _step32_imm,
    (InsnClass.JMP32, Source.X): _step32_reg,
}


def _conditional(build: Build) -> StepFunction:
    insn = build.insn
    bits = 64 if insn.cls is InsnClass.JMP else 32
    condition = CONDITIONS[bits][JmpOp(insn.operation)]
    return _MAKERS[insn.cls, Source(insn.opcode & Source.X)](condition, build)


def _goto(build: Build) -> StepFunction:
    target = build.target(build.insn.imm if build.insn.opcode == GOTOL else build.insn.off)

    def step(_regs: Registers, _run: Run) -> int:
        return target

    return step


def _may_goto(build: Build) -> StepFunction:
    """Build a jump that is taken once the frame's budget of iterations is spent (linux/bpf.h)."""
    target, after = build.target(build.insn.off), build.after

    def step(_regs: Registers, run: Run) -> int:
        if not run.loops_left:
            return target
        run.loops_left -= 1
        return after

    return step


BUILDERS: Final[dict[int, Builder]] = {
    JA: _goto,
    GOTOL: _goto,
    MAY_GOTO: _may_goto,
    **{cls | operation | source: _conditional for cls, source in _MAKERS for operation in CONDITIONS[64]},
}
