"""States that were seen at a slot: when to stop, when to give up on detail."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.sim.check.state import Path, Spill, covers, joined
from bpflab.sim.check.types import Kind

if TYPE_CHECKING:
    from bpflab.sim.check.state import Frame, State

MAX_STATES: Final = 48
"""After so many different states at one slot they are merged, and what differs may be anything."""

MARK: Final = -1
"""The slot of a node of the path that stands for a remembered state."""

Shape: TypeAlias = tuple[tuple[int, ...], ...]

_KEPT_APART: Final = frozenset({Kind.CTX, Kind.ITER, Kind.DYNPTR, Kind.IRQ_FLAG})
_SAVED: Final = 0b111_1100_0000
"""r6 to r10, which a caller still needs after a call."""


class Seen:
    """The states of one slot under one chain of calls. `live` are the registers read later on, as bits."""

    __slots__ = ("count", "live", "states", "wide")

    def __init__(self, live: int) -> None:
        self.live = live
        self.states: list[State] = []
        self.count: Counter[Shape] = Counter()
        self.wide: dict[Shape, State] = {}

    def known(self, state: State) -> State | None:
        """Give the earlier state that covers this one, so that nothing new can be found; else None."""
        for old in self.wide.values():
            if self._covers(old, state):
                return old
        for old in reversed(self.states):
            if self._covers(old, state):
                return old
        return None

    def add(self, state: State) -> None:
        """Remember a state, and merge those of its shape into it if there were too many.

        States with the context elsewhere are left apart: it must not become just anything.
        """
        state.path = Path(state.path, MARK)
        shape = _shape(state)
        self.count[shape] += 1
        if self.count[shape] <= MAX_STATES:
            self.states.append(state.fork(state.pc))
            return
        wide = self.wide.get(shape)
        for old in [wide] if wide else [each for each in self.states if _shape(each) == shape]:
            _merge(state, old)
        self.wide[shape] = state.fork(state.pc)

    def repeats(self, old: State, new: State) -> bool:
        """Whether a state is one that lies on its own path: a loop that makes no progress."""
        if old in self.wide.values() or new.path is None or not self._covers(new, old):
            return False
        return any(node is old.path for node in new.path)

    def _covers(self, old: State, new: State) -> bool:
        if len(old.references) != len(new.references) or old.held.shape() != new.held.shape():
            return False
        live = self.live
        for mine, theirs in zip(reversed(old.frames), reversed(new.frames), strict=True):
            if not _frame_covers(mine, theirs, live):
                return False
            live = _SAVED
        return True


def _shape(state: State) -> Shape:
    """Tell where a state has contexts and kernel objects on the stack, by frame, and what it is within."""
    return (
        tuple(map(int, state.held.shape())),
        *(
            (
                *(reg for reg, value in enumerate(frame.regs) if value.kind is Kind.CTX),
                *(off for off, spill in frame.spills.items() if spill.value.kind in _KEPT_APART),
            )
            for frame in state.frames
        ),
    )


def _merge(state: State, old: State) -> None:
    """Widen a state to what holds for both."""
    for mine, theirs in zip(state.frames, old.frames, strict=True):
        mine.regs = [joined(a, b) for a, b in zip(theirs.regs, mine.regs, strict=True)]
        mine.spills = {
            off: Spill(spill.size, joined(theirs.spills[off].value, spill.value))
            for off, spill in mine.spills.items()
            if off in theirs.spills and theirs.spills[off].size == spill.size
        }


def _frame_covers(old: Frame, new: Frame, live: int) -> bool:
    for reg, value in enumerate(old.regs):
        if live >> reg & 1 and not covers(value, new.regs[reg]):
            return False
    for off, spill in old.spills.items():
        other = new.spills.get(off)
        if other is None or other.size != spill.size or not covers(spill.value, other.value):
            return False
    return True
