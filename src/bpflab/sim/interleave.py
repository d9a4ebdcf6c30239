"""Programs run on several CPUs at once, instruction by instruction, in the order that a test gives.

Each CPU is a thread, and one of them at a time has the turn. It passes the turn on after so many instructions, when
it has to wait for a spin lock, and at its end. So the same turns give the same order in every run.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from bpflab.sim.engine.loop import advance
from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.sim.engine import Run
    from bpflab.sim.kernel import SimKernel

T = TypeVar("T")


class Interleaving:
    """The turns of one race. `turns` are instructions to execute before the next CPU goes on, one after the other.

    When they are used up, each CPU in turn goes on to its end.
    """

    def __init__(self, kernel: SimKernel, cpus: int, turns: Sequence[int]) -> None:
        self.kernel = kernel
        self.turns = iter(turns)
        self.alive = list(range(cpus))
        self.current = 0
        self.left = next(self.turns, None)
        self.waiting: set[int] = set()
        self.changed = threading.Condition(kernel.lock)
        self.own = threading.local()

    def run_all(self, runs: Sequence[Callable[[], T]]) -> list[T]:
        """Call each function on a CPU of its own, and return what they return; the first error is raised."""
        outcomes: list[list[T]] = [[] for _ in runs]
        errors: list[BaseException] = []
        threads = [
            threading.Thread(target=self._one, args=(cpu, run, outcomes[cpu], errors)) for cpu, run in enumerate(runs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return [outcome[0] for outcome in outcomes]

    def drive(self, run: Run) -> int:
        """Execute a run's instructions whenever it is this CPU's turn."""
        while True:
            self._use_turn()
            if not advance(run):
                return run.regs[0]

    def wait_until(self, free: Callable[[], bool], what: str) -> None:
        """Let the others go on until something is free; a fault when all of them wait."""
        while not free():
            self.waiting.add(self.own.cpu)
            if self.waiting >= set(self.alive):
                raise Fault(FaultKind.HELPER_ARGUMENT, f"{what} is never given back: all CPUs wait")
            self._pass_on()
        self.waiting.discard(self.own.cpu)

    def others(self) -> set[int]:
        """Return the CPUs beside this one that still run."""
        return set(self.alive) - {self.own.cpu}

    def _one(self, cpu: int, run: Callable[[], T], outcome: list[T], errors: list[BaseException]) -> None:
        self.own.cpu = cpu
        with self.changed:
            self._await_turn()
        try:
            outcome.append(run())
        except BaseException as error:  # noqa: BLE001 - raised again where the race was started
            errors.append(error)
        finally:
            with self.changed:
                self._leave()

    def _use_turn(self) -> None:
        if self.left is not None:
            while self.left == 0 and len(self.alive) > 1:
                self._pass_on()
                if self.left is None:
                    return
            self.left -= 1

    def _pass_on(self) -> None:
        place = self.alive.index(self.own.cpu)
        self.current = self.alive[(place + 1) % len(self.alive)]
        self.left = next(self.turns, None)
        self.changed.notify_all()
        self._await_turn()

    def _await_turn(self) -> None:
        while self.current != self.own.cpu:
            self.changed.wait()
        self.kernel.cpu = self.own.cpu

    def _leave(self) -> None:
        place = self.alive.index(self.own.cpu)
        self.alive.remove(self.own.cpu)
        self.waiting.discard(self.own.cpu)
        if self.alive:
            self.current = self.alive[place % len(self.alive)]
            self.left = next(self.turns, None)
        self.changed.notify_all()
