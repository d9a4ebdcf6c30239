"""The bounds that the check keeps of a number hold for every value that the number may have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.insn import AluOp, JmpOp
from bpflab.sim.check import bounds
from bpflab.sim.check.value import Value, bounded
from bpflab.sim.engine.alu import OPERATIONS
from bpflab.sim.engine.jump import CONDITIONS

edges = st.sampled_from(
    [0, 1, 7, 8, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
)
words = st.one_of(edges, st.integers(0, (1 << 64) - 1), st.integers(0, 300))


@st.composite
def members(draw: st.DrawFn) -> tuple[Value, int]:
    """Bounds and a number within them."""
    low, number, high = sorted(draw(st.tuples(words, words, words)))
    return bounded(low, high), number


def holds(value: Value, number: int) -> bool:
    return value.low <= number <= value.high


@given(st.sampled_from(sorted(OPERATIONS[64])), st.sampled_from([32, 64]), members(), members())
def test_arithmetic_stays_within_its_bounds(
    op: AluOp, bits: int, first: tuple[Value, int], second: tuple[Value, int]
) -> None:
    mask = (1 << bits) - 1
    result = OPERATIONS[bits][op](first[1] & mask, second[1] & mask) & mask
    assert holds(bounds.arithmetic(op, first[0], second[0], bits), result)


@given(st.sampled_from(sorted(CONDITIONS[64])), st.sampled_from([32, 64]), members(), members())
def test_a_comparison_never_rules_out_what_is(
    op: JmpOp, bits: int, first: tuple[Value, int], second: tuple[Value, int]
) -> None:
    mask = (1 << bits) - 1
    true = CONDITIONS[bits][op](first[1] & mask, second[1] & mask)
    found = bounds.narrowed(op, first[0], second[0], bits, holds=true)
    assert found is not None
    assert holds(found[0], first[1])
    assert holds(found[1], second[1])


@given(members(), st.sampled_from([8, 16, 32]))
def test_cutting_keeps_the_low_bits(member: tuple[Value, int], bits: int) -> None:
    assert holds(bounds.cut(member[0], bits), member[1] & ((1 << bits) - 1))
