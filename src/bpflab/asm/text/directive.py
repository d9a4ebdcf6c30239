"""Directives: sections, data and its alignment, as GNU as and LLVM write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import INSN_SIZE
from bpflab.asm.item import Data
from bpflab.asm.text.cursor import RefusedError
from bpflab.asm.text.lex import unquoted

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.asm.text.cursor import Cursor

_WIDTHS: Final = {
    ".byte": 1,
    ".short": 2,
    ".hword": 2,
    ".2byte": 2,
    ".half": 2,
    ".long": 4,
    ".int": 4,
    ".word": 4,
    ".4byte": 4,
    ".quad": 8,
    ".8byte": 8,
    ".xword": 8,
}
_STRINGS: Final = {".ascii": b"", ".asciz": b"\0", ".string": b"\0"}
_ZEROS: Final = frozenset({".zero", ".skip", ".space"})
_ALIGNMENTS: Final = frozenset({".p2align", ".balign", ".align"})
_IGNORED: Final = frozenset(
    {".globl", ".global", ".type", ".size", ".file", ".ident", ".weak", ".hidden", ".local", ".addrsig", ".loc"}
    | {".addrsig_sym", ".cfi_startproc", ".cfi_endproc", ".cfi_sections", ".protected", ".internal", ".set"}
)
"""Directives that say nothing about the bytes."""

MAX_DATA: Final = 1 << 26
"""Bytes that one directive may reserve; a slip of the pen must not fill the memory."""

_DATA_SECTIONS: Final = (".rodata", ".data", ".bss", ".maps", "license", "version")


@dataclass(slots=True)
class Section:
    """The section that the text is in: its name, and whether it holds data or instructions."""

    byteorder: ByteOrder
    name: str = ".text"
    is_data: bool = False

    def directive(self, cursor: Cursor) -> Data | None:
        """Read a directive; None if it adds no bytes."""
        word = cursor.take()
        if word in {".text", ".rodata", ".data", ".bss"}:
            self._enter(word, word != ".text")
        elif word == ".section":
            self._section(cursor)
            return None
        elif word in _IGNORED:
            return None
        elif word == ".comm":
            return _common(cursor)
        else:
            return self._bytes(cursor, word)
        cursor.end()
        return None

    def label(self, name: str) -> Data:
        """Give the next byte of a data section a name."""
        return Data(name, b"", self.name)

    def _enter(self, name: str, is_data: bool) -> None:
        self.name, self.is_data = name, is_data

    def _section(self, cursor: Cursor) -> None:
        name = _section_name(cursor)
        if cursor.accept(","):
            self._enter(name, b"x" not in unquoted(cursor.take()))
        else:
            self._enter(name, name.startswith(_DATA_SECTIONS))

    def _bytes(self, cursor: Cursor, word: str) -> Data | None:
        start = cursor.at - 1
        align = _alignment(cursor, word) if word in _ALIGNMENTS else 1
        if word in _ALIGNMENTS and not self.is_data:
            if align > INSN_SIZE:
                raise RefusedError(
                    start, f"instructions stand {INSN_SIZE} bytes apart; they cannot be aligned to {align}"
                )
            return None
        content = b"" if word in _ALIGNMENTS else self._content(cursor, word, start)
        cursor.end()
        if not self.is_data:
            raise RefusedError(
                start, f"data cannot stand among instructions of {self.name}: write .section .rodata before"
            )
        return Data("", content, self.name, align)

    def _content(self, cursor: Cursor, word: str, start: int) -> bytes:
        if word in _ZEROS:
            return bytes(cursor.number((0, MAX_DATA)))
        if word in _STRINGS:
            return b"".join(_strings(cursor, _STRINGS[word]))
        if word in _WIDTHS:
            return b"".join(self._numbers(cursor, _WIDTHS[word]))
        raise RefusedError(start, f"there is no directive {word}")

    def _numbers(self, cursor: Cursor, width: int) -> list[bytes]:
        bits, parts = 8 * width, []
        while True:
            value = cursor.number((-1 << (bits - 1), (1 << bits) - 1))
            parts.append((value % (1 << bits)).to_bytes(width, self.byteorder))
            if not cursor.accept(","):
                return parts


def _strings(cursor: Cursor, ending: bytes) -> list[bytes]:
    parts = []
    while True:
        if cursor.peek()[:1] != '"' or len(cursor.peek()) < 2:
            cursor.fail("expected a text in quotes")
        parts.append(unquoted(cursor.take()) + ending)
        if not cursor.accept(","):
            return parts


def _common(cursor: Cursor) -> Data:
    """Read `.comm name, size, alignment`: zeros that a linker puts into .bss."""
    name = cursor.name("a symbol")
    cursor.expect(",")
    size = cursor.number((0, MAX_DATA))
    align = _alignment(cursor, ".balign") if cursor.accept(",") else 1
    cursor.end()
    return Data(name, bytes(size), ".bss", align)


def _section_name(cursor: Cursor) -> str:
    """Read a section's name, which may have slashes and need no quotes: `tc/ingress`."""
    name = cursor.name("a section's name")
    while cursor.accept("/"):
        name += "/" + cursor.name("the rest of the section's name")
    return name


def _alignment(cursor: Cursor, word: str) -> int:
    """Read an alignment in bytes; the power of two that .p2align wants is turned into one."""
    if word == ".p2align":
        align = 1 << cursor.number((0, 12))
    else:
        start = cursor.at
        align = cursor.number((1, 4096))
        if align & (align - 1):
            raise RefusedError(start, f"an alignment of {align} bytes is no power of two")
    while cursor.accept(","):  # what to fill with, and when not to: data is filled with zeros here
        if cursor.peek() != ",":
            cursor.number((0, 0xFFFFFFFF))
    return align
