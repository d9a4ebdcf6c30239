"""Bounds of scalars: what arithmetic makes of them and what a comparison tells about them.

Everything is a pure function of unsigned 64-bit intervals. A result may be wider than what is
possible, never narrower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import AluOp, JmpOp
from bpflab.sim.check.value import SIGN, WORD, Value, bounded, constant
from bpflab.sim.engine.alu import OPERATIONS, SIGNED
from bpflab.sim.engine.jump import CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Callable

HALF: Final = (1 << 32) - 1
Interval = tuple[int, int]
_ALL: Final[Interval] = (0, WORD)
_UNKNOWN: Final = frozenset({AluOp.DIV, AluOp.MOD})
"""Operations of whose results Linux 6.18 knows nothing, constant operands or not."""

_EXACT: Final = frozenset({AluOp.ADD, AluOp.AND, AluOp.RSH})
_SHIFTS: Final = frozenset({AluOp.LSH, AluOp.RSH, AluOp.ARSH})


def arithmetic(op: AluOp, a: Value, b: Value, bits: int, *, is_signed: bool = False) -> Value:
    """Apply an operation to two scalars, as ALU64 or (32 bits) ALU does; mostly the result is vague."""
    mask = WORD if bits == 64 else HALF
    first, second = _cut(a, mask), _cut(b, bits - 1 if op in _SHIFTS else mask)
    if first[0] == first[1] and second[0] == second[1] and op not in _UNKNOWN:
        operation = (SIGNED if is_signed else OPERATIONS)[bits][op]
        return constant(operation(first[0], second[0]) & mask)
    rule = None if is_signed else _RULES.get(op)
    low, high = rule(first, second) if rule else _ALL
    exact = op in _EXACT and not (a.vague or b.vague) and 0 <= low <= high <= mask and _is_exact(op, first, second)
    found = bounded(0, mask) if high > mask or low < 0 else bounded(low, high)
    return found if exact else found._replace(vague=True)


def _is_exact(op: AluOp, a: Interval, b: Interval) -> bool:
    """Whether the kernel, which also knows single bits, finds the same bounds for exact operands."""
    if op is AluOp.ADD:
        return a[1] + b[1] <= WORD
    return b[0] == b[1] and (op is AluOp.RSH or (a[0] == 0 and not b[0] & (b[0] + 1)))


def cut(value: Value, bits: int) -> Value:
    """Keep the low bits of a scalar."""
    return bounded(*_cut(value, (1 << bits) - 1))._replace(vague=value.vague)


def _cut(value: Value, mask: int) -> Interval:
    if value.low == value.high:
        return value.low & mask, value.low & mask
    return (value.low, value.high) if value.high <= mask else (0, mask)


def _add(a: Interval, b: Interval) -> Interval:
    low, high = a[0] + b[0], a[1] + b[1]
    return (low & WORD, high & WORD) if low >> 64 == high >> 64 else _ALL


def _sub(a: Interval, b: Interval) -> Interval:
    low, high = a[0] - b[1], a[1] - b[0]
    return (low & WORD, high & WORD) if low >> 64 == high >> 64 else _ALL


def _mul(a: Interval, b: Interval) -> Interval:
    return (a[0] * b[0], a[1] * b[1]) if a[1] * b[1] <= WORD else _ALL


def _and(a: Interval, b: Interval) -> Interval:
    return 0, min(a[1], b[1])


def _or(a: Interval, b: Interval) -> Interval:
    return max(a[0], b[0]), _filled(max(a[1], b[1]))


def _xor(a: Interval, b: Interval) -> Interval:
    return 0, _filled(max(a[1], b[1]))


def _lsh(a: Interval, b: Interval) -> Interval:
    return (a[0] << b[0], a[1] << b[0]) if b[0] == b[1] and a[1] << b[0] <= WORD else _ALL


def _rsh(a: Interval, b: Interval) -> Interval:
    return (a[0] >> b[0], a[1] >> b[0]) if b[0] == b[1] else (0, a[1])


def _arsh(a: Interval, b: Interval) -> Interval:
    return _rsh(a, b) if a[1] < 1 << 31 else _ALL


def _filled(number: int) -> int:
    return (1 << number.bit_length()) - 1


_RULES: Final[dict[AluOp, Callable[[Interval, Interval], Interval]]] = {
    AluOp.ADD: _add,
    AluOp.SUB: _sub,
    AluOp.MUL: _mul,
    AluOp.AND: _and,
    AluOp.OR: _or,
    AluOp.XOR: _xor,
    AluOp.LSH: _lsh,
    AluOp.RSH: _rsh,
    AluOp.ARSH: _arsh,
}

OPPOSITE: Final = {
    JmpOp.JEQ: JmpOp.JNE,
    JmpOp.JNE: JmpOp.JEQ,
    JmpOp.JGT: JmpOp.JLE,
    JmpOp.JLE: JmpOp.JGT,
    JmpOp.JGE: JmpOp.JLT,
    JmpOp.JLT: JmpOp.JGE,
    JmpOp.JSGT: JmpOp.JSLE,
    JmpOp.JSLE: JmpOp.JSGT,
    JmpOp.JSGE: JmpOp.JSLT,
    JmpOp.JSLT: JmpOp.JSGE,
}
"""The condition that holds when another does not; JSET has none."""

_UNSIGNED: Final = {
    JmpOp.JSGT: JmpOp.JGT,
    JmpOp.JSGE: JmpOp.JGE,
    JmpOp.JSLT: JmpOp.JLT,
    JmpOp.JSLE: JmpOp.JLE,
}


def vague(value: Value) -> Value:
    """Say of a scalar that the kernel may know more about it; a constant is never vague."""
    return value if value.low == value.high else value._replace(vague=True)


def narrowed(op: JmpOp, a: Value, b: Value, bits: int, *, holds: bool) -> tuple[Value, Value] | None:
    """Give both scalars as they are when a comparison holds, or does not; None if that cannot be."""
    if a.low == a.high and b.low == b.high:
        mask = WORD if bits == 64 else HALF
        return (a, b) if CONDITIONS[bits][op](a.low & mask, b.low & mask) is holds else None
    if op is JmpOp.JSET:
        return _bits_tested(a, b, holds=holds)
    if bits == 32 and max(a.high, b.high) > (HALF if op not in _UNSIGNED else HALF >> 1):
        # The upper halves do not take part: the outcome may be known, the whole registers are not.
        possible = narrowed(op, cut(a, 32), cut(b, 32), 64, holds=holds) if op not in _UNSIGNED else True
        return (vague(a), vague(b)) if possible else None
    condition = op if holds else OPPOSITE[op]
    return _signed(condition, a, b) if condition in _UNSIGNED else _compared(condition, a, b)


def _bits_tested(a: Value, b: Value, *, holds: bool) -> tuple[Value, Value] | None:
    if not holds:
        return vague(a), vague(b)
    common = _filled(a.high) & (b.low if b.low == b.high else _filled(b.high))
    return (vague(a._replace(low=max(a.low, 1))), b) if common else None


def _signed(condition: JmpOp, a: Value, b: Value) -> tuple[Value, Value] | None:
    """Compare as unsigned after flipping the signs, and flip back what came out."""
    found = _compared(_UNSIGNED[condition], _flipped(a), _flipped(b))
    return found and (_within(a, found[0]), _within(b, found[1]))


def _flipped(value: Value) -> Value:
    if (value.low ^ value.high) & SIGN:
        return value._replace(low=0, high=WORD)
    return value._replace(low=value.low ^ SIGN, high=value.high ^ SIGN)


def _within(value: Value, flipped: Value) -> Value:
    back = _flipped(flipped)
    if (flipped.low ^ flipped.high) & SIGN:
        return vague(value)
    low, high = max(value.low, back.low), min(value.high, back.high)
    return value._replace(low=low, high=high) if low <= high else vague(value)


def _compared(condition: JmpOp, a: Value, b: Value) -> tuple[Value, Value] | None:
    if condition in {JmpOp.JLT, JmpOp.JLE}:
        found = _compared({JmpOp.JLT: JmpOp.JGT, JmpOp.JLE: JmpOp.JGE}[condition], b, a)
        return found and (found[1], found[0])
    if condition is JmpOp.JEQ:
        low, high = max(a.low, b.low), min(a.high, b.high)
        return None if low > high else (a._replace(low=low, high=high), b._replace(low=low, high=high))
    if condition is JmpOp.JNE:
        return _without(a, b), _without(b, a)
    gap = 1 if condition is JmpOp.JGT else 0
    low, high = max(a.low, b.low + gap), min(b.high, a.high - gap)
    return None if low > a.high or high < b.low else (a._replace(low=low), b._replace(high=high))


def _without(a: Value, b: Value) -> Value:
    """Take the one value of `b` off an end of `a`."""
    if b.low != b.high or a.low == a.high:
        return a
    low = a.low + 1 if a.low == b.low else a.low
    high = a.high - 1 if a.high == b.low else a.high
    return a._replace(low=low, high=high)
