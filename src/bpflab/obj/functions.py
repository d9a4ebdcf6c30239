"""The functions of an object: where each lies, which are programs, which are called by them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import INSN_SIZE
from bpflab.errors import ObjectError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.obj.elf import Elf, Section, Symbol

SUBPROGRAM_SECTION: Final = ".text"
"""The section of functions that programs call; functions elsewhere are programs, unless static."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function: `offset` and `size` are bytes in the section of number `section`."""

    name: str
    section: int
    section_name: str
    offset: int
    size: int
    program: bool


class Functions:
    """All functions of an object, found by place. ObjectError where two overlap or one is cut."""

    def __init__(self, elf: Elf) -> None:
        self._by_section = {
            section.index: _in_section(section, elf.symbols_in.get(section.index, ()))
            for section in elf.sections.values()
            if section.executable
        }

    @property
    def programs(self) -> tuple[Function, ...]:
        """The functions that are programs, in the order of the file."""
        return tuple(each for found in self._by_section.values() for each in found if each.program)

    def called(self, name: str) -> Function | None:
        """Find a function that is no program by its name."""
        others = (each for found in self._by_section.values() for each in found if not each.program)
        return next((each for each in others if each.name == name), None)

    def holds(self, section: int) -> bool:
        """Say whether a section number is one of code."""
        return section in self._by_section

    def at(self, section: int, offset: int) -> Function:
        """Find the function that starts at a byte of a section; ObjectError if none does."""
        found = self._by_section.get(section, ())
        index = bisect_right(found, offset, key=lambda each: each.offset) - 1
        if index < 0 or found[index].offset != offset:
            raise ObjectError(f"a call goes to byte {offset} of section {section}, where no function starts.")
        return found[index]


def _in_section(section: Section, symbols: Iterable[Symbol]) -> tuple[Function, ...]:
    mine = (symbol for symbol in symbols if symbol.function)
    found: dict[int, Function] = {}
    for symbol in sorted(mine, key=lambda symbol: (symbol.value, symbol.local)):
        found.setdefault(symbol.value, _function(section, symbol))
    functions = tuple(found.values())
    for before, after in pairwise(functions):
        if before.offset + before.size > after.offset:
            raise ObjectError(f"functions {before.name!r} and {after.name!r} overlap; the object is malformed.")
    return functions


def _function(section: Section, symbol: Symbol) -> Function:
    end = symbol.value + symbol.size
    if not symbol.size or symbol.value % INSN_SIZE or symbol.size % INSN_SIZE or end > len(section.data):
        raise ObjectError(
            f"function {symbol.name!r} takes bytes {symbol.value} to {end} of section {section.name!r}, "
            f"which has {len(section.data)}; functions are whole instructions of {INSN_SIZE} bytes."
        )
    program = section.name != SUBPROGRAM_SECTION and not symbol.local
    return Function(symbol.name, section.index, section.name, symbol.value, symbol.size, program)
