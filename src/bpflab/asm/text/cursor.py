"""Reading one statement from left to right, word by word."""

from __future__ import annotations

from typing import Final, NoReturn

from bpflab.abi.insn import REG_COUNT
from bpflab.asm.insn import signed32
from bpflab.asm.operand import ANY32, S16, S32, Bounds
from bpflab.asm.text.lex import is_name, unquoted

END: Final = ""
"""The word after the last one."""

REGISTERS: Final = {f"{letter}{number}": (number, letter == "r") for number in range(REG_COUNT) for letter in "rw"}
"""Number of a register's name, and whether the name means all 64 bits."""


class RefusedError(Exception):
    """A word is not what it should be. Never leaves the reader, which adds the line and a caret."""

    def __init__(self, token: int, why: str) -> None:
        super().__init__(why)
        self.token = token
        self.why = why


class Cursor:
    """A place in the words of one statement.

    `opcode` is the one that a log printed before the statement, or None. A log prints the immediate
    of a comparison as 32 bits without sign, so there 0xffffffff is -1.
    """

    __slots__ = ("at", "opcode", "tokens")

    def __init__(self, tokens: list[str], opcode: int | None = None) -> None:
        self.tokens = [*tokens, END]
        self.at = 0
        self.opcode = opcode

    def peek(self) -> str:
        """Return the next word and stay before it."""
        return self.tokens[self.at]

    def take(self) -> str:
        """Return the next word and go past it."""
        token = self.tokens[self.at]
        if token:
            self.at += 1
        return token

    def accept(self, word: str) -> bool:
        """Go past the next word if it is this one."""
        if self.tokens[self.at] == word:
            self.at += 1
            return True
        return False

    def expect(self, *words: str) -> None:
        """Go past these words."""
        for word in words:
            if self.tokens[self.at] != word:
                self.fail(f"expected {word!r}")
            self.at += 1

    def fail(self, why: str) -> NoReturn:
        """Refuse the next word, saying what was expected instead."""
        given = self.tokens[self.at]
        raise RefusedError(self.at, f"{why}, found {given!r}" if given else f"{why}, but the line ends")

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self.tokens[self.at]:
            self.fail("expected the end of the instruction")

    def register(self) -> tuple[int, bool]:
        """Read a register: its number, and whether it is written as 64 bits wide."""
        found = REGISTERS.get(self.tokens[self.at])
        if found is None:
            self.fail(f"expected a register, r0 to r{REG_COUNT - 1} or w0 to w{REG_COUNT - 1}")
        self.at += 1
        return found

    def register_of(self, wide: bool) -> int:
        """Read a register of the width that the rest of the instruction has."""
        number, is_wide = self.register()
        if is_wide is not wide:
            given, letter = self.tokens[self.at - 1], "r" if wide else "w"
            raise RefusedError(self.at - 1, f"{given} mixes widths: write {letter}{number}, as the other operand")
        return number

    def number(self, bounds: Bounds, advice: str = "") -> int:
        """Read a number, with or without sign, between two bounds."""
        start, negative = self.at, False
        while self.tokens[self.at] in {"+", "-"}:
            negative ^= self.take() == "-"
        value = -self._digits() if negative else self._digits()
        if not bounds[0] <= value <= bounds[1]:
            raise RefusedError(start, f"{value} is not between {bounds[0]} and {bounds[1]}{advice}")
        return value

    def _digits(self) -> int:
        token = self.tokens[self.at]
        try:
            value = int(token, 0)
        except ValueError:
            self.fail("expected a number, such as 7, -7 or 0x7")
        self.at += 1
        return value

    def imm32(self, wide: bool) -> int:
        """Read an immediate as the 32 signed bits that an instruction holds."""
        if wide and self.opcode is None:
            return self.number(S32, ": a 64-bit operation extends 32 signed bits; load more with `= NUMBER ll`")
        return signed32(self.number(ANY32))

    def offset(self) -> int:
        """Read `+ 4`, `-8` or nothing, as the offset of a memory operand."""
        return self.number(S16) if self.tokens[self.at] in {"+", "-"} else 0

    def name(self, what: str) -> str:
        """Read a name, in quotes or without."""
        token = self.tokens[self.at]
        if token[:1] == '"' and len(token) > 2:
            self.at += 1
            return unquoted(token).decode(errors="backslashreplace")
        if not is_name(token):
            self.fail(f"expected {what}")
        self.at += 1
        return token
