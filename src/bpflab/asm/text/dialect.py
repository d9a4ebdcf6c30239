"""The lines of a text that hold instructions, in whichever form a tool printed them.

Plain text and LLVM's assembly: every line. A verifier's log and `bpftool prog dump xlated`: lines such
as `12: (61) r0 = *(u32 *)(r1 +4)`; all others are talk. llvm-objdump: `12:` and a tab, with the bytes
before the text or without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGED: Final = re.compile(r"[ \t]*(\d+):[ \t]+\(([0-9a-f]{2})\)[ \t]", re.MULTILINE)
_DUMPED: Final = re.compile(
    r"[ \t]*(\d+):[ \t]+((?:[0-9a-f]{2} ){7}[0-9a-f]{2}(?:(?: [0-9a-f]{2}){8})?(?=\s))?", re.MULTILINE
)
_HEADING: Final = re.compile(r"\s*$|\s*;|[0-9a-f]{8,16} <.*>:|Disassembly of section |.*:\s+file format ")
_NUMBERED: Final = re.compile(r"^[ \t]*\d+:[ \t]", re.MULTILINE)
_ANY_LOGGED: Final = re.compile(r"^[ \t]*\d+:[ \t]+\([0-9a-f]{2}\)[ \t]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the text: its number from 1, and itself with spaces in place of a tool's prefix.

    `index` is the slot that the tool printed, or -1; `opcode` the one that a log printed, or None;
    `code` the bytes that objdump printed, or empty.
    """

    number: int
    text: str
    index: int = -1
    opcode: int | None = None
    code: bytes = b""


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines to read, those of a log in order of their slots and each slot once."""
    lines = enumerate(text.splitlines(), 1)
    if _NUMBERED.search(text) is None:
        return (Line(number, line) for number, line in lines)
    if _ANY_LOGGED.search(text) is None:
        return (_dumped(number, line) for number, line in lines if not _HEADING.match(line))
    return iter(_logged(lines))


def _logged(lines: Iterator[tuple[int, str]]) -> list[Line]:
    found: dict[int, Line] = {}
    for number, line in lines:
        if match := _LOGGED.match(line):
            index = int(match[1])
            text = _blank(line, match.end())
            found.setdefault(index, Line(number, text, index, int(match[2], 16)))
    return [found[index] for index in sorted(found)]


def _dumped(number: int, line: str) -> Line:
    match = _DUMPED.match(line)
    if match is None:
        return Line(number, line)
    code = bytes.fromhex(match[2] or "")
    return Line(number, _blank(line, match.end()), int(match[1]), None, code)


def _blank(line: str, end: int) -> str:
    return " " * end + line[end:]
