"""A text as items: line by line, with errors that show the line and point at the word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from bpflab.asm.insn import Insn, decode
from bpflab.asm.item import Label, Pending
from bpflab.asm.text.cursor import Cursor, RefusedError
from bpflab.asm.text.dialect import Line, lines_of
from bpflab.asm.text.directive import Section
from bpflab.asm.text.lex import quoted, span_of, tokens_of
from bpflab.asm.text.statement import read_statement
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.asm.item import Item


@dataclass(slots=True)
class TextListing:
    """The items of a text, and the line of each, from 1."""

    text: str
    items: list[Item] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def blame(self, index: int, name: str, why: str) -> NoReturn:
        """Raise AssemblyError about an item: show its line, and point at a name in it."""
        number = self.lines[index]
        line = self.text.splitlines()[number - 1]
        words = tokens_of(line)
        places = [index for index, word in enumerate(words) if name and word in {name, quoted(name)}]
        whole = span_of(line, 0)[0], span_of(line, len(words))[0]
        raise_at(number, line, why, span_of(line, places[-1]) if places else whole)


def raise_at(number: int, line: str, why: str, span: tuple[int, int]) -> NoReturn:
    """Raise AssemblyError with the line and carets under a part of it."""
    start, end = span
    shown, marks = line.expandtabs(), "^" * max(1, end - start)
    indent = " " * len(line[:start].expandtabs())
    raise AssemblyError(f"line {number}, column {start + 1}: {why}\n    {shown}\n    {indent}{marks}")


def read(text: str, byteorder: ByteOrder) -> TextListing:
    """Read a text in any of its dialects. Raises AssemblyError at the first word that is wrong."""
    reader = _Reader(TextListing(text), Section(byteorder))
    for line in lines_of(text):
        reader.read(line)
    return reader.listing


@dataclass(slots=True)
class _Reader:
    """What has been read so far; `slot` is where the next instruction will stand in a log's count."""

    listing: TextListing
    section: Section
    slot: int = 0

    def read(self, line: Line) -> None:
        tokens = tokens_of(line.text)
        if not tokens:
            return
        cursor = Cursor(tokens, line.opcode)
        try:
            self._check_slot(line)
            if line.code:
                self._instructions(line, tuple(decode(line.code, self.section.byteorder)))
            else:
                self._parts(cursor, line)
        except RefusedError as error:
            raise_at(
                line.number, self.listing.text.splitlines()[line.number - 1], error.why, span_of(line.text, error.token)
            )

    def _parts(self, cursor: Cursor, line: Line) -> None:
        while cursor.peek() and cursor.tokens[cursor.at + 1] == ":":
            name = cursor.name("a label's name")
            cursor.expect(":")
            self._add(line, self.section.label(name) if self.section.is_data else Label(name))
        word = cursor.peek()
        if word[:1] == "." and word != ".insn":
            data = self.section.directive(cursor)
            if data is not None:
                self._add(line, data)
        elif word:
            self._statement(cursor, line)

    def _statement(self, cursor: Cursor, line: Line) -> None:
        if self.section.is_data:
            cursor.fail(f"expected data in section {self.section.name} (write .text before instructions)")
        result = read_statement(cursor)
        self._instructions(line, result if isinstance(result, tuple) else (result,))

    def _instructions(self, line: Line, items: tuple[Insn | Pending, ...]) -> None:
        for item in items:
            self._add(line, item)
            self.slot += 1 if isinstance(item, Insn) else item.slots
        first = items[0].opcode if isinstance(items[0], Insn) else items[0].insn.opcode
        if line.opcode not in {None, first}:
            raise RefusedError(0, f"the log gives opcode 0x{line.opcode:02x}, but this is 0x{first:02x}")

    def _add(self, line: Line, item: Item) -> None:
        self.listing.items.append(item)
        self.listing.lines.append(line.number)

    def _check_slot(self, line: Line) -> None:
        if line.index not in {-1, self.slot}:
            raise RefusedError(0, f"the log goes on with instruction {line.index}, but {self.slot} is due")
