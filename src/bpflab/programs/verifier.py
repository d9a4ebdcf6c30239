"""The verifier's log: asked for when a load fails, and cut down to what a person reads first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.errors import ProgramError
from bpflab.programs.place import line_at, logged_line, refused_insn, refused_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.errors import CallFailure
    from bpflab.obj.spec import SourceLine

SHOWN_LINES = 14
_STATISTICS = re.compile(
    r"processed (?P<insns>\d+) insns \(limit \d+\)(?: max_states_per_insn (?P<states_per_insn>\d+) "
    r"total_states (?P<total_states>\d+) peak_states (?P<peak_states>\d+) mark_read (?P<mark_read>\d+))?"
)
_STACK_DEPTH = re.compile(r"stack depth (?P<depth>[\d+]+)")
_TIME = re.compile(r"verification time (?P<usec>\d+) usec")


class VerifierError(ProgramError):
    """The verifier refused a program.

    Attributes: `log` the whole log, `program` the program's name, `failure` the facts of the call,
    `left_out` how many lines of the log the text does not show, `insn` the instruction that was refused (as the log
    numbers it; -1 where it names none), `line` its source line or None, `reason` what the verifier says of it.
    """

    def __init__(self, program: str, log: str, failure: CallFailure) -> None:
        lines = useful_lines(log)
        shown = lines[-SHOWN_LINES:]
        self.program = program
        self.log = log
        self.failure = failure
        self.left_out = len(log.splitlines()) - len(shown)
        self.insn = refused_insn(lines)
        self.line = logged_line(lines, self.insn)
        self.reason = "\n".join(refused_words(lines))
        super().__init__(
            f"The verifier refused program {program!r} ({failure.name}). The last lines of its log "
            f"({self.left_out} more in .log):\n" + "\n".join(f"    {line}" for line in shown)
        )

    def locate(self, lines: Sequence[SourceLine]) -> None:
        """Take the source line from the program's own line info, which has the whole path of the file."""
        self.line = line_at(lines, self.insn) or self.line


@dataclass(frozen=True, slots=True)
class VerifierStats:
    """What the verifier did: instructions processed, states kept, stack used, time taken.

    `stack_depth` is bytes per function of the deepest call chain, in the verifier's order. What the kernel does not say
    is 0: the simulated one tells the instructions alone.
    """

    insns: int
    max_states_per_insn: int
    total_states: int
    peak_states: int
    stack_depth: tuple[int, ...] = ()
    microseconds: int = 0


def useful_lines(log: str) -> list[str]:
    """Return the log's lines without the statistics at its end and without empty ones."""
    lines = [line.rstrip() for line in log.splitlines()]
    return [line for line in lines if line and not _is_statistics(line)]


def parse_stats(log: str) -> VerifierStats | None:
    """Read the statistics at the end of a log; None when it has none."""
    found = _STATISTICS.search(log)
    if found is None:
        return None
    depth, time = _STACK_DEPTH.search(log), _TIME.search(log)
    return VerifierStats(
        insns=int(found["insns"]),
        max_states_per_insn=int(found["states_per_insn"] or 0),
        total_states=int(found["total_states"] or 0),
        peak_states=int(found["peak_states"] or 0),
        stack_depth=tuple(map(int, depth["depth"].split("+"))) if depth else (),
        microseconds=int(time["usec"]) if time else 0,
    )


def _is_statistics(line: str) -> bool:
    return line.startswith(("verification time", "stack depth", "processed "))
