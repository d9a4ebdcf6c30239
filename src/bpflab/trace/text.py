"""A trace as people read it: source lines in order, and below each what happened there."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from bpflab.trace.fold import Fold, folded
from bpflab.trace.packet import PacketNames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.trace.model import Trace, Visit

NUMBERS: Final = 6
"""Columns of the line numbers."""
STEP_IN: Final = "  "


def trace_text(trace: Trace) -> str:
    """Write a whole trace."""
    return "\n".join([*head(trace), *body(trace), *end(trace)])


def cut_text(trace: Trace, most: int, rest: str = "") -> str:
    """Write a trace with at most `most` lines of its way: the last ones, for they led to the verdict.

    `rest` says where the others are.
    """
    lines = list(body(trace))
    left = _start_of_visit(lines, len(lines) - most)
    if left > 0:
        where = f", which are in {rest}" if rest else ""
        lines = [f"{'':{NUMBERS}}... after {left} more lines{where}", *_with_file(lines, left)]
    return "\n".join([*head(trace), *lines, *end(trace)])


def _start_of_visit(lines: list[str], left: int) -> int:
    """Return the first line from `left` on that is no remark on the source line before it."""
    while 0 < left < len(lines) - 1 and lines[left].lstrip().startswith("| "):
        left += 1
    return left


def brief_text(trace: Trace) -> str:
    """Write what went in and what came of it, in a line."""
    return f"{next(iter(head(trace)))} {next(iter(end(trace)))}"


def head(trace: Trace) -> Iterator[str]:
    """Say which program ran, where, and what differed."""
    packet = f" on a packet of {len(trace.packet)} bytes{_layers(trace)}" if trace.packet else ""
    name, note = trace.program or "a program", trace.note and f", {trace.note}"
    yield f"{name} was run{packet}{note}: {trace.steps} instructions."
    yield from (f"DIFFERENT: {told}" for told in trace.differences)


def _layers(trace: Trace) -> str:
    return f" ({PacketNames(trace.packet)})"


def body(trace: Trace) -> Iterator[str]:
    """Write the way, source line by source line."""
    if not trace.left_out:
        yield from visits_text(trace.visits)
        return
    yield from visits_text(trace.visits[: trace.kept_first])
    yield f"{'':{NUMBERS}}... {trace.left_out} lines of a long run were not kept ..."
    yield from visits_text(trace.visits[trace.kept_first :])


def visits_text(visits: tuple[Visit, ...]) -> Iterator[str]:
    """Write visits, loops folded."""
    shown: tuple[str, str] | None = None
    several = len({visit.program for visit in visits}) > 1
    for each in folded(visits):
        if isinstance(each, Fold):
            yield f"{'':{NUMBERS}}{STEP_IN * each.depth}  ... {_times(each.rounds)} ..."
            continue
        if (each.program, each.file) != shown and (several or each.file):
            shown = each.program, each.file
            yield _place(each, several=several)
        yield from visit_text(each)


def visit_text(visit: Visit) -> Iterator[str]:
    """Write one visit."""
    indent = STEP_IN * visit.depth
    yield f"{visit.line or visit.pc:>{NUMBERS}}  {indent}{visit.text}"
    yield from (f"{'':{NUMBERS}}  {indent}  | {each}" for each in visit.happenings)


def end(trace: Trace) -> Iterator[str]:
    """Say how the run ended."""
    if trace.fault:
        yield f"=> stopped: {trace.fault}"
        return
    yield f"=> {verdict_text(trace)}{_output(trace)}"


def verdict_text(trace: Trace) -> str:
    """Write the verdict by its name, or the number that was returned."""
    if trace.verdict is not None:
        return f"{type(trace.verdict).__name__}.{trace.verdict.name} ({int(trace.verdict)})"
    return f"returned {trace.retval}"


def _output(trace: Trace) -> str:
    if not trace.packet:
        return ""
    if trace.output == trace.packet:
        return ", the packet unchanged"
    return f", {len(trace.output)} bytes came out" + ("" if len(trace.output) != len(trace.packet) else ", changed")


def _place(visit: Visit, *, several: bool) -> str:
    file = PurePosixPath(visit.file).name
    return f"{f'program {visit.program}' if several else ''}{' in ' if several and file else ''}{file}:"


def _times(rounds: int) -> str:
    return "one more round" if rounds == 1 else f"{rounds} more rounds"


def _with_file(lines: list[str], left: int) -> list[str]:
    """Return the last lines, the file that they are of before them."""
    before = [line for line in lines[:left] if line.endswith(":") and not line.startswith(" ")]
    return ([] if lines[left].endswith(":") and not lines[left].startswith(" ") else before[-1:]) + lines[left:]
