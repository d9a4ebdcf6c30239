"""States that were seen at a slot: when to stop, when to give up on detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.check.state import Path, Spill, covers, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.sim.check.state import Frame, State
    from bpflab.sim.check.value import Value

MAX_STATES: Final = 48
"""After so many different states at one slot they are merged, and what differs may be anything."""

MARK: Final = -1
"""The slot of a node of the path that stands for a remembered state."""

_SAVED: Final = 0b111_1100_0000
"""r6 to r10, which a caller still needs after a call."""


class Seen:
    """The states of one slot under one chain of calls. `live` are the registers read later on, as bits."""

    __slots__ = ("live", "states", "wide")

    def __init__(self, live: int) -> None:
        self.live = live
        self.states: list[State] = []
        self.wide: State | None = None

    def known(self, state: State) -> State | None:
        """Give the earlier state that covers this one, so that nothing new can be found; else None."""
        if self.wide is not None:
            return self.wide if self._covers(self.wide, state) else None
        return next((old for old in self.states if self._covers(old, state)), None)

    def add(self, state: State) -> None:
        """Remember a state, and merge the others into it if there were too many."""
        state.path = Path(state.path, MARK)
        if len(self.states) < MAX_STATES:
            self.states.append(state.fork(state.pc))
            return
        for old in [self.wide] if self.wide else self.states:
            _merge(state, old)
        self.wide = state.fork(state.pc)

    def repeats(self, old: State, new: State) -> bool:
        """Whether a state is one that lies on its own path: a loop that makes no progress."""
        same = old is not self.wide and self._covers(old, new) and self._covers(new, old)
        return same and new.path is not None and any(node is old.path for node in new.path)

    def _covers(self, old: State, new: State) -> bool:
        if len(old.references) != len(new.references):
            return False
        last = len(old.frames) - 1
        return all(
            _frame_covers(mine, theirs, self.live if depth == last else _SAVED)
            for depth, (mine, theirs) in enumerate(zip(old.frames, new.frames, strict=True))
        )


def _merge(state: State, old: State) -> None:
    for mine, theirs in zip(state.frames, old.frames, strict=True):
        mine.regs = [joined(a, b) for a, b in zip(theirs.regs, mine.regs, strict=True)]
        mine.spills = {
            off: Spill(spill.size, joined(theirs.spills[off].value, spill.value))
            for off, spill in mine.spills.items()
            if off in theirs.spills and theirs.spills[off].size == spill.size
        }


def _frame_covers(old: Frame, new: Frame, live: int) -> bool:
    return _registers_cover(old.regs, new.regs, live) and all(
        off in new.spills and new.spills[off].size == spill.size and covers(spill.value, new.spills[off].value)
        for off, spill in old.spills.items()
    )


def _registers_cover(old: Sequence[Value], new: Sequence[Value], live: int) -> bool:
    return all(covers(old[reg], new[reg]) for reg in range(len(old)) if live >> reg & 1)
