"""Arithmetic: ALU64 on whole registers, ALU on their low halves (RFC 9669 section 4.1).

`OPERATIONS` and `SIGNED` are pure functions of two unsigned operands; the step cuts their result
to the register's width, and a 32-bit result leaves the upper half zero.
"""

from __future__ import annotations

import operator
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import AluOp, InsnClass, Source
from bpflab.sim.engine.step import HALF, WORD, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Build, Builder, Registers, StepFunction

    Operation = Callable[[int, int], int]


def signed(value: int, bits: int) -> int:
    """Read the low bits of a number as two's complement."""
    sign = 1 << (bits - 1)
    return ((value & (2 * sign - 1)) ^ sign) - sign


def divide(a: int, b: int) -> int:
    """Divide; by zero gives 0. The plus refuses an unset register."""
    return a // b if +b else 0


def modulo(a: int, b: int) -> int:
    """Take the remainder; by zero leaves the dividend."""
    return a % b if +b else a


def signed_divide(a: int, b: int, bits: int) -> int:
    """Divide towards zero; by zero gives 0, and the least number by -1 gives itself once cut."""
    dividend, divisor = signed(a, bits), signed(b, bits)
    if not divisor:
        return 0
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def signed_modulo(a: int, b: int, bits: int) -> int:
    """Take the remainder with the sign of the dividend; by zero leaves the dividend."""
    dividend, divisor = signed(a, bits), signed(b, bits)
    if not divisor:
        return a
    remainder = abs(dividend) % abs(divisor)
    return -remainder if dividend < 0 else remainder


def _shifts(bits: int) -> dict[AluOp, Operation]:
    mask = bits - 1
    return {
        AluOp.LSH: lambda a, b: a << (b & mask),
        AluOp.RSH: lambda a, b: a >> (b & mask),
        AluOp.ARSH: lambda a, b: signed(a, bits) >> (b & mask),
    }


def _operations(bits: int) -> dict[AluOp, Operation]:
    return {
        AluOp.ADD: operator.add,
        AluOp.SUB: operator.sub,
        AluOp.MUL: operator.mul,
        AluOp.DIV: divide,
        AluOp.MOD: modulo,
        AluOp.OR: operator.or_,
        AluOp.AND: operator.and_,
        AluOp.XOR: operator.xor,
        **_shifts(bits),
    }


OPERATIONS: Final = {bits: _operations(bits) for bits in (32, 64)}
SIGNED: Final[dict[int, dict[AluOp, Operation]]] = {
    bits: {AluOp.DIV: partial(signed_divide, bits=bits), AluOp.MOD: partial(signed_modulo, bits=bits)}
    for bits in (32, 64)
}


def _step64_imm(operation: Operation, dst: int, value: int, after: int) -> StepFunction:
    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = operation(regs[dst], value) & WORD
        return after

    return step


def _step64_reg(operation: Operation, dst: int, src: int, after: int) -> StepFunction:
    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = operation(regs[dst], regs[src]) & WORD
        return after

    return step


def _step32_imm(operation: Operation, dst: int, value: int, after: int) -> StepFunction:
    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = operation(regs[dst] & HALF, value) & HALF
        return after

    return step


def _step32_reg(operation: Operation, dst: int, src: int, after: int) -> StepFunction:
    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = operation(regs[dst] & HALF, regs[src] & HALF) & HALF
        return after

    return step


_MAKERS: Final = {32: (_step32_imm, _step32_reg), 64: (_step64_imm, _step64_reg)}


def _negate(build: Build, width: int) -> StepFunction:
    dst, after = build.insn.dst, build.after

    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = -regs[dst] & width
        return after

    return step


def _build(build: Build) -> StepFunction:
    insn = build.insn
    bits = 64 if insn.cls is InsnClass.ALU64 else 32
    width = WORD if bits == 64 else HALF
    if insn.operation == AluOp.NEG:
        return _negate(build, width)
    table = {0: OPERATIONS, 1: SIGNED}.get(insn.off, {}).get(bits, {})
    operation = table.get(AluOp(insn.operation))
    if operation is None:
        return unknown(build)
    make_imm, make_reg = _MAKERS[bits]
    if insn.opcode & Source.X:
        return make_reg(operation, insn.dst, insn.src, build.after)
    return make_imm(operation, insn.dst, insn.imm & width, build.after)


BUILDERS: Final[dict[int, Builder]] = {
    cls | operation | source: _build
    for cls in (InsnClass.ALU, InsnClass.ALU64)
    for operation, source in [*product(OPERATIONS[64], Source), (AluOp.NEG, Source.K)]
}
