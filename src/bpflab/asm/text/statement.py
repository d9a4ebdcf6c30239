"""One statement: its first word says how to read it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.asm.insn import Insn
from bpflab.asm.item import Pending
from bpflab.asm.operand import S16
from bpflab.asm.text import alu, atomic, call, jump, memory, wide
from bpflab.asm.text.cursor import REGISTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.asm.text.cursor import Cursor

Result: TypeAlias = Insn | Pending | tuple[Insn, ...]

_STATEMENTS: Final[Mapping[str, Callable[[Cursor], Result]]] = MappingProxyType(
    {**jump.STATEMENTS, **memory.STATEMENTS, **atomic.STATEMENTS, **call.STATEMENTS, **wide.STATEMENTS}
)
_ASSIGNED: Final[Mapping[str, Callable[[Cursor, int, bool], Result]]] = MappingProxyType(
    {**alu.ASSIGNED, **memory.ASSIGNED, **atomic.ASSIGNED, **wide.ASSIGNED}
)
_NUMBER_STARTS: Final = frozenset("0123456789+-")
_RAW_FIELDS: Final = ((0, 255), (0, 15), (0, 15), S16)


def read_statement(cursor: Cursor) -> Result:
    """Read an instruction. A wide load gives two slots, an instruction with a name a `Pending`."""
    word = cursor.peek()
    if word in REGISTERS:
        result = _assignment(cursor)
    elif word in _STATEMENTS:
        result = _STATEMENTS[word](cursor)
    elif word == ".insn":
        result = _raw(cursor)
    else:
        cursor.fail("expected an instruction, a label with a colon, or a directive")
    cursor.end()
    return result


def _assignment(cursor: Cursor) -> Result:
    dst, is_wide = cursor.register()
    operator = cursor.peek()
    if operator != "=":
        if operator not in alu.OPERATORS:
            cursor.fail(f"expected an operator, one of {' '.join(alu.OPERATORS)}")
        return alu.read_binary(cursor, dst, is_wide)
    return _value(cursor, dst, is_wide)


def _value(cursor: Cursor, dst: int, is_wide: bool) -> Result:
    word, following = cursor.tokens[cursor.at + 1], cursor.tokens[cursor.at + 2 :][:1]
    if word in REGISTERS:
        return alu.read_binary(cursor, dst, is_wide)
    if word[:1] in _NUMBER_STARTS and word:
        if word == "-" and following[0] in REGISTERS:
            return alu.read_negation(cursor, dst, is_wide)
        return wide.read_number(cursor, dst) if wide.is_wide_number(cursor) else alu.read_binary(cursor, dst, is_wide)
    if word in _ASSIGNED and following != ["ll"]:
        return _ASSIGNED[word](cursor, dst, is_wide)
    return wide.read_symbol(cursor, dst)


def _raw(cursor: Cursor) -> Insn:
    """Read `.insn opcode, dst, src, off, imm`: a slot by its fields, whatever they are."""
    cursor.take()
    fields = []
    for bounds in _RAW_FIELDS:
        fields.append(cursor.number(bounds))
        cursor.expect(",")
    opcode, dst, src, off = fields
    return Insn(opcode, dst, src, off, cursor.imm32(wide=False))
