"""Where in a program, and in its source, the verifier stopped: read from its log."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.obj.spec import SourceLine

UNKNOWN: Final = -1
_NAMED = re.compile(r"\binsn (\d+)\b")
_INSTRUCTION = re.compile(r"^\s*(\d+): \([0-9a-f]{2}\)")
_SOURCE = re.compile(r"^; (?P<text>.*) @ (?P<file>.+):(?P<line>\d+)$")
_STATE = re.compile(r"^(cur|old) state:|^(from )?\d+(?: to \d+)?: |^(last|first)_idx |^mark_precise|^regs=|^parent ")


def refused_insn(lines: Sequence[str]) -> int:
    """Return the instruction that a log's refusal is about; -1 when it names none.

    The one that the last words name (`infinite loop detected at insn 5`), else the last one that the log walked to.
    """
    for line in reversed(lines):
        found = _INSTRUCTION.match(line)
        if found is None and not line.startswith(";") and not _STATE.match(line):
            found = _NAMED.search(line)
        if found:
            return int(found[1])
    return UNKNOWN


def refused_words(lines: Sequence[str]) -> list[str]:
    """Return the lines behind the last instruction: what the verifier says in words."""
    walked = [number for number, line in enumerate(lines) if _INSTRUCTION.match(line)]
    words = lines[walked[-1] + 1 :] if walked else lines
    return [line for line in words if not _STATE.match(line)]


def logged_line(lines: Sequence[str], insn: int) -> SourceLine | None:
    """Return the last source line that a log shows, as a kernel does for programs with line info; else None."""
    from bpflab.obj.spec import SourceLine  # brings the reader of objects with it: for a refusal only

    for line in reversed(lines):
        found = _SOURCE.match(line)
        if found:
            return SourceLine(max(insn, 0), found["file"], int(found["line"]), 0, found["text"])
    return None


def line_at(lines: Sequence[SourceLine], insn: int) -> SourceLine | None:
    """Return the source line of an instruction from a program's line info, in the order of instructions."""
    at = bisect_right([line.insn for line in lines], insn)
    return lines[at - 1] if at and insn >= 0 else None
