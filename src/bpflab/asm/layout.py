"""Where each instruction stands, and which jumps need a longer form.

A jump has 16 bits of reach. Where a label lies beyond, `goto` becomes `gotol`, a comparison is
inverted to skip a `gotol`, and what has no inverse (`&`, may_goto) jumps over a `goto` to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.abi.insn import GOTOL, JA, OPERATION_MASK, JmpOp
from bpflab.asm.insn import Insn
from bpflab.asm.item import Label, Pending, RefKind
from bpflab.asm.jump import jump_distance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from bpflab.asm.item import Item

Blame: TypeAlias = "Callable[[int, str, str], NoReturn]"
"""Raises AssemblyError about an item: its index, the name in it that is wrong (or ""), and why."""

REACH: Final = range(-0x8000, 0x8000)
_INVERSES: Final = {
    JmpOp.JEQ: JmpOp.JNE,
    JmpOp.JGT: JmpOp.JLE,
    JmpOp.JGE: JmpOp.JLT,
    JmpOp.JSGT: JmpOp.JSLE,
    JmpOp.JSGE: JmpOp.JSLT,
}
INVERSE: Final = {int(op): int(other) for pair in _INVERSES.items() for op, other in (pair, pair[::-1])}
"""The comparison that holds exactly when the other does not; `&` has none."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The first slot of each item and the end, the slot of each label, and the lengthened items."""

    starts: list[int]
    labels: dict[str, int]
    long: frozenset[int]

    def item_at(self, slot: int) -> int:
        """Return the index of the item that fills a slot."""
        return bisect_right(self.starts, slot) - 1

    def distance(self, index: int, name: str) -> int:
        """How many slots a one-slot jump at an item skips to reach a label."""
        return self.labels[name] - self.starts[index] - 1


def lay_out(items: Sequence[Item], blame: Blame) -> Layout:
    """Find the place of every item, lengthening jumps until each reaches its label."""
    layout = _place(items, frozenset(), blame)
    if layout.starts[-1] < REACH.stop:
        return layout
    while far := _out_of_reach(items, layout):
        layout = _place(items, layout.long | far, blame)
    if layout.long:
        _check_numbered(items, layout, blame)
    return layout


def is_jump(item: Item) -> bool:
    """Whether an item is a jump to a label with 16 bits of reach."""
    return isinstance(item, Pending) and item.kind is RefKind.JUMP and item.insn.opcode != GOTOL


def lengthened(insn: Insn, distance: int) -> tuple[Insn, ...]:
    """Return the longer form of a jump; `distance` is counted from its first slot, as for the short one."""
    operation = insn.opcode & OPERATION_MASK
    if insn.opcode == JA:
        return (Insn(GOTOL, imm=distance),)
    if operation in INVERSE:
        inverted = insn.opcode - operation + INVERSE[operation]
        return Insn(inverted, insn.dst, insn.src, 1, insn.imm), Insn(GOTOL, imm=distance - 1)
    over = Insn(insn.opcode, insn.dst, insn.src, 1, insn.imm)
    return over, Insn(JA, off=1), Insn(GOTOL, imm=distance - 2)


def _place(items: Sequence[Item], long: frozenset[int], blame: Blame) -> Layout:
    starts, labels, slot = [], {}, 0
    for index, item in enumerate(items):
        starts.append(slot)
        if isinstance(item, Insn):
            slot += 1
        elif isinstance(item, Pending):
            slot += len(lengthened(item.insn, 0)) if index in long else item.slots
        elif isinstance(item, Label):
            if item.name in labels:
                blame(index, item.name, f"label {item.name!r} is defined twice")
            labels[item.name] = slot
    return Layout([*starts, slot], labels, long)


def _out_of_reach(items: Sequence[Item], layout: Layout) -> frozenset[int]:
    jumps = (
        (index, item.name)
        for index, item in enumerate(items)
        if isinstance(item, Pending) and is_jump(item) and index not in layout.long
    )
    return frozenset(i for i, name in jumps if name in layout.labels and layout.distance(i, name) not in REACH)


def _check_numbered(items: Sequence[Item], layout: Layout, blame: Blame) -> None:
    longs = sorted(layout.starts[index] for index in layout.long)
    for index, item in enumerate(items):
        if isinstance(item, Insn) and (skip := jump_distance(item)) is not None:
            first, last = sorted((layout.starts[index], layout.starts[index] + 1 + skip))
            if bisect_left(longs, first) != bisect_left(longs, last):
                blame(index, "", "it jumps by number over a jump that had to be lengthened; give it a label")
