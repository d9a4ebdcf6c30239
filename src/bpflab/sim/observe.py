"""Who is told of every instruction of the programs that run; nothing is told, and nothing spent, without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bpflab.sim.engine.trace import trace
from bpflab.sim.fault import Fault

if TYPE_CHECKING:
    from bpflab.sim.engine import Run, Step
    from bpflab.sim.test_run import Environment


class Observer(Protocol):
    """What `World.observer` has to answer. All of it is called while memory, maps and packet are as the run has them.

    A run of a program is told from its beginning to its end; `repeat` makes several runs of it.
    """

    def begin(self, env: Environment, run: Run) -> None:
        """Hear that a program starts."""

    def ahead(self, run: Run) -> None:
        """Hear that a helper is about to be called, with its arguments in the run's registers."""

    def step(self, step: Step) -> None:
        """Hear of an instruction that was executed."""

    def end(self, retval: int | None, fault: Fault | None) -> None:
        """Hear that the program ended: with its r0, or with the fault that stopped it."""


def observed(observer: Observer, env: Environment, run: Run) -> int:
    """Execute a run, and tell the observer of all of it. Raises `Fault` as the run does."""
    observer.begin(env, run)
    try:
        retval = trace(run, observer.step, observer.ahead)
    except Fault as fault:
        observer.end(None, fault)
        raise
    observer.end(retval, None)
    return retval
