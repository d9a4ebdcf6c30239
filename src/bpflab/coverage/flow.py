"""Where a program can go: its functions, basic blocks and branches, from its instructions alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL, EXIT, GOTOL, GOTOX, JA, MODE_MASK, CallSource, InsnClass, Mode, WideSource
from bpflab.errors import ProgramError
from bpflab.sim.check.structure import TAIL_CALL, called, is_jump, jump_targets, successors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.asm.insn import Insn

_ALWAYS: Final = frozenset({JA, GOTOL})


class CannotInstrumentError(ProgramError):
    """A program whose coverage cannot be measured by adding instructions to it; the text says why."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A conditional jump at `slot`: where it leads when it is taken, and when it is not."""

    slot: int
    target: int
    after: int

    def way(self, *, taken: bool) -> int:
        """Return the slot that one of its two edges leads to."""
        return self.target if taken else self.after


@dataclass(frozen=True)
class Flow:
    """A program's instructions, and what can be said of the ways through them.

    A block runs from a head to the next one, wholly or not at all: what may not come back (a tail call, a call of
    the program's own or the kernel's function, which may throw, a packet load) ends one. Raises CannotInstrumentError
    for a jump through a register.
    """

    insns: tuple[Insn, ...]

    def __post_init__(self) -> None:
        for slot in self.slots:
            if self.insns[slot].opcode == GOTOX:
                raise CannotInstrumentError(f"instruction {slot} jumps through a register")

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """The slots at which an instruction begins, in order."""
        return tuple(_slots(self.insns))

    @cached_property
    def functions(self) -> tuple[int, ...]:
        """The first slots of the functions, in order."""
        targets = {called(self.insns, slot) for slot in self.slots} - {None}
        return tuple(sorted({0} | {target for target in targets if target is not None}))

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """The conditional jumps, may_goto among them, in order."""
        return tuple(
            Branch(slot, jump_targets(self.insns, slot)[0], slot + 1)
            for slot in self.slots
            if is_jump(self.insns[slot]) and self.insns[slot].opcode not in _ALWAYS
        )

    @cached_property
    def resumed(self) -> frozenset[int]:
        """The slots behind an instruction after which the program may not go on."""
        return frozenset(
            slot + 1 for slot in self.slots if slot + 1 < len(self.insns) and self._may_leave(self.insns[slot])
        )

    @cached_property
    def heads(self) -> tuple[int, ...]:
        """The first slots of the blocks, in order."""
        jumped = {target for slot in self.slots for target in jump_targets(self.insns, slot)}
        behind = {branch.after for branch in self.branches}
        return tuple(sorted(jumped | behind | self.resumed | set(self.functions)))

    @cached_property
    def blocks(self) -> dict[int, tuple[int, ...]]:
        """The slots of each block's instructions, by its head."""
        members: dict[int, list[int]] = {head: [] for head in self.heads}
        head = 0
        for slot in self.slots:
            head = slot if slot in members else head
            members[head].append(slot)
        return {head: tuple(slots) for head, slots in members.items()}

    @cached_property
    def followers(self) -> dict[int, tuple[int, ...]]:
        """The heads that follow each block without any question being asked: none where it may not come back."""
        always = {}
        conditional = {branch.slot for branch in self.branches}
        for head, slots in self.blocks.items():
            ways = () if slots[-1] in conditional else successors(self.insns, slots[-1])
            always[head] = tuple(way for way in ways if way not in self.resumed or way != slots[-1] + 1)
        return always

    @cached_property
    def ways_in(self) -> dict[int, int]:
        """How many ways lead to each head; that a function is called counts as one."""
        ways = dict.fromkeys(self.heads, 0)
        for head in (*self.functions, *self.resumed):
            ways[head] += 1
        for branch in self.branches:
            ways[branch.target] += 1
            ways[branch.after] += 1
        for heads in self.followers.values():
            for head in heads:
                ways[head] += 1
        return ways

    def function_slots(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Go through the functions: the first slot, and the slots of its instructions."""
        for start, end in pairwise((*self.functions, len(self.insns))):
            yield start, tuple(slot for slot in self.slots if start <= slot < end)

    @cached_property
    def _has_callbacks(self) -> bool:
        return any(insn.is_wide and insn.src == WideSource.FUNC for insn in self.insns)

    def _may_leave(self, insn: Insn) -> bool:
        if insn.opcode == CALL:
            return insn.src != CallSource.HELPER or insn.imm == TAIL_CALL or self._has_callbacks
        return insn.cls is InsnClass.LD and insn.opcode & MODE_MASK in {Mode.ABS, Mode.IND}


def _slots(insns: tuple[Insn, ...]) -> Iterator[int]:
    slot = 0
    while slot < len(insns):
        yield slot
        slot += 2 if insns[slot].is_wide else 1


def ends(insn: Insn) -> bool:
    """Tell whether an instruction never goes on to the next one."""
    return insn.opcode == EXIT or insn.opcode in _ALWAYS
