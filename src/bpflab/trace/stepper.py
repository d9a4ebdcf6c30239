"""A run that stops for its reader: at each source line, at each instruction, or at a line asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import EXIT, REG_COUNT
from bpflab.sim.fault import Fault
from bpflab.trace.recorder import Recorder
from bpflab.trace.text import visit_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.engine import Run, Step
    from bpflab.sim.test_run import Environment
    from bpflab.trace.recorder import Recording

HELP: Final = """\
enter  go on to the next source line
s      execute one instruction
c      go on to the end, or to the next line to stop at
b N    stop at source line N (again: no more)
r      show the registers
m A N  show N bytes of memory (16) at A: a number, or a register with an offset, such as r1+14 or r10-8
q      stop the run"""
ROW: Final = 16
LONGEST: Final = 4096


class StoppedError(Exception):
    """The reader asked to stop the run."""


class Stepper(Recorder):
    """A recorder that shows where the run is and asks how to go on: `say` shows a line, `ask` returns an answer.

    A run whose answers end goes on to its end.
    """

    def __init__(self, ask: Callable[[], str], say: Callable[[str], object]) -> None:
        super().__init__()
        self._ask = ask
        self._say = say
        self._by_line = True
        self._free = False
        self._stops: set[int] = set()
        self._shown = 0
        self._line: tuple[str, int, str, int] | None = None

    def begin(self, env: Environment, run: Run) -> None:
        """Stop before the first instruction."""
        super().begin(env, run)
        self._shown = 0
        self._say(f"{env.program.name} starts. Enter goes on, h helps.")
        self._stop(self._recording)

    def step(self, step: Step) -> None:
        """Stop after an instruction, if that was asked for."""
        super().step(step)
        if step.insn.opcode == EXIT and not step.depth:
            return
        here = self._recording.here()
        new_line = here.place != self._line
        self._line = here.place
        if self._free:
            if new_line and here.line in self._stops:
                self._stop(self._recording)
        elif new_line or not self._by_line:
            self._stop(self._recording)

    def rest(self) -> None:
        """Show what happened since the last stop."""
        recording = self._recording
        recording.flush()
        visits = recording.visits
        for visit in visits[self._shown :]:
            for line in list(visit_text(visit))[0 if self._free else 1 :]:
                self._say(line)
        self._shown = len(visits)

    def _stop(self, recording: Recording) -> None:
        self.rest()
        self._free = False
        here = recording.here()
        self._line = here.place
        self._say(next(iter(visit_text(here))))
        if here.line and not self._by_line:
            self._say(f"{here.pc:>12}: {recording.instruction()}")
        while not self._answered(recording, self._ask().split()):
            pass

    def _answered(self, recording: Recording, words: list[str]) -> bool:
        """Act on an answer; tell whether the run goes on."""
        match words:
            case [] | ["n"]:
                self._by_line = True
            case ["s"]:
                self._by_line = False
            case ["c"]:
                self._by_line = self._free = True
            case ["q"]:
                raise StoppedError
            case ["b", line] if line.isdecimal():
                self._stops ^= {int(line)}
                self._say(f"stops at: {', '.join(map(str, sorted(self._stops))) or 'no line'}")
                return False
            case ["r"]:
                for text in recording.registers():
                    self._say(text)
                return False
            case ["m", where, *size]:
                self._show_memory(recording, where, size)
                return False
            case _:
                self._say(HELP)
                return False
        return True

    def _show_memory(self, recording: Recording, where: str, size: list[str]) -> None:
        try:
            address = place(recording, where)
            data = recording.memory(address, min(int(size[0], 0) if size else ROW, LONGEST))
        except (ValueError, Fault) as error:
            self._say(f"m {where}: {error}")
            return
        for at in range(0, len(data), ROW):
            self._say(f"{address + at:#x}: {data[at : at + ROW].hex(' ')}")


def place(recording: Recording, text: str) -> int:
    """Read an address: a number, or a register with or without an offset. ValueError in words."""
    for sign in "+-":
        base, found, offset = text.partition(sign)
        if found and base:
            return place(recording, base) + int(sign + offset, 0)
    if text[:1] == "r" and text[1:].isdecimal() and int(text[1:]) < REG_COUNT:
        number = recording.register(int(text[1:]))
        if number is None:
            raise ValueError(f"{text} is not set")
        return number
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError("expected a number such as 0x100000000, or a register such as r1+14") from None
