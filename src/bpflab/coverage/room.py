"""Room for a probe: a register that nobody reads any more, or one to put away while the probe runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL, InsnClass
from bpflab.sim.check.liveness import live_registers
from bpflab.sim.check.structure import successors
from bpflab.sim.engine.operands import writes

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.coverage.flow import Flow

CANDIDATES: Final = (0, 1, 2, 3, 4, 5, 9, 8, 7, 6)
"""Registers in order of preference: a JIT must save r6 to r9 where a function uses them."""
FRAME: Final = 10
"""The frame pointer, which a probe must leave alone."""
_CLOBBERED: Final = 0b11_1111
_MAIN: Final = 1 << 1
"""A program begins with its context in r1; of a function's arguments nothing is sure."""


class Room:
    """What is free at each slot of a program."""

    def __init__(self, flow: Flow) -> None:
        self._live = live_registers(flow.insns)
        self._known = written_registers(flow)

    def free(self, slot: int) -> int | None:
        """Return a register whose content is never read from this slot on."""
        return next((reg for reg in CANDIDATES if not self._live[slot] >> reg & 1), None)

    def held(self, slot: int) -> int | None:
        """Return a register that holds something whichever way led here, so that it can be put away."""
        return next((reg for reg in CANDIDATES if self._known.get(slot, 0) >> reg & 1), None)


def written_registers(flow: Flow) -> dict[int, int]:
    """Give, by slot, a bit for each register that was written on every way there.

    What a call returns is not counted: some return nothing.
    """
    known = {start: 0 if start else _MAIN for start in flow.functions}
    waiting = list(flow.functions)
    while waiting:
        slot = waiting.pop()
        after = _after(flow.insns[slot], known[slot])
        for way in successors(flow.insns, slot):
            before = known.get(way)
            if before is None or before & after != before:
                known[way] = after if before is None else before & after
                waiting.append(way)
    return known


def _after(insn: Insn, before: int) -> int:
    if insn.opcode == CALL or (insn.cls is InsnClass.LD and not insn.is_wide):
        return before & ~_CLOBBERED
    return before | sum(1 << reg for reg in writes(insn))
