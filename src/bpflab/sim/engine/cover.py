"""What of a program is executed, noted by its steps themselves.

A step that has told all it can tell is put back in its place: a program that runs often soon runs as fast as without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.engine.jump import would_jump
from bpflab.sim.engine.trace import is_conditional

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.sim.engine.program import Program
    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Registers, StepFunction


class Marks:
    """A byte for each slot, 0 or 1: was it executed, was the jump in it taken, did it fall through."""

    __slots__ = ("executed", "fallen", "taken")

    def __init__(self, size: int) -> None:
        self.executed = bytearray(size)
        self.taken = bytearray(size)
        self.fallen = bytearray(size)

    def clear(self) -> None:
        """Forget everything. The steps note again once their `Cover` is armed."""
        for marks in (self.executed, self.taken, self.fallen):
            marks[:] = bytes(len(marks))


class Cover:
    """Makes a program note in `marks` what it executes. An instruction that faults counts as executed."""

    def __init__(self, program: Program, marks: Marks) -> None:
        self._steps = program.steps
        self._armed = [
            _noting(program.steps, pc, insn, step, marks)
            for pc, (insn, step) in enumerate(zip(program.insns, program.steps, strict=False))
        ]
        self.arm()

    def arm(self) -> None:
        """Make every step note again."""
        self._steps[: len(self._armed)] = self._armed


def _noting(steps: list[StepFunction], pc: int, insn: Insn, step: StepFunction, marks: Marks) -> StepFunction:
    executed = marks.executed
    if is_conditional(insn):
        return _asking(steps, pc, insn, step, marks)

    def note(regs: Registers, run: Run) -> int:
        executed[pc] = 1
        steps[pc] = step
        return step(regs, run)

    return note


def _asking(steps: list[StepFunction], pc: int, insn: Insn, step: StepFunction, marks: Marks) -> StepFunction:
    executed, taken, fallen = marks.executed, marks.taken, marks.fallen
    nowhere = insn.off == 0  # both ways lead to the next instruction

    def note(regs: Registers, run: Run) -> int:
        executed[pc] = 1
        answer = nowhere and would_jump(insn, regs, run.loops_left)
        following = step(regs, run)
        (taken if answer or following != pc + 1 else fallen)[pc] = 1
        if taken[pc] and fallen[pc]:
            steps[pc] = step
        return following

    return note
