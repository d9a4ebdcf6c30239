"""The loop that drives a run: one step after the other, until the function that was started has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from bpflab.sim.engine.run import Run


class Finished(Exception):  # noqa: N818 - not an error: the function that was started has ended
    """Leaves the loop: the function it was started for has ended."""


class Switched(Exception):  # noqa: N818 - not an error: the loop goes on in another program
    """Makes the loop take program and slot from the run anew."""


def drive(run: Run) -> int:
    """Execute steps until the function that was started ends; give r0."""
    regs, ticks, note = run.regs, run.ticks, run.trail.append
    while True:
        steps, pc = run.program.steps, run.pc
        try:
            for _ in ticks:
                note(pc)
                pc = steps[pc](regs, run)
        except Switched:
            continue
        except Finished:
            return regs[0]
        raise out_of_budget(run)


def advance(run: Run) -> bool:
    """Execute one step; tell whether there are more."""
    if next(run.ticks, None) is None:
        raise out_of_budget(run)
    run.trail.append(run.pc)
    try:
        run.pc = run.program.steps[run.pc](run.regs, run)
    except Switched:
        return True
    except Finished:
        return False
    return True


def out_of_budget(run: Run) -> Fault:
    """Make the fault of a run that executed all the instructions it may."""
    return Fault(FaultKind.BUDGET, f"the program was stopped after {run.budget} instructions")
