"""Jumps as text: `if r2 s> 5 goto +3`, `goto drop`, `gotol pc-7`, `may_goto +1`, `exit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import EXIT, GOTOL, GOTOX, JA, MAY_GOTO, OPERATION_MASK, InsnClass, JmpOp, Source
from bpflab.asm.insn import Insn
from bpflab.asm.item import Pending, RefKind
from bpflab.asm.operand import S16, S32
from bpflab.asm.text.cursor import REGISTERS
from bpflab.asm.text.lex import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.asm.operand import Bounds
    from bpflab.asm.text.cursor import Cursor
    from bpflab.asm.text.names import Names, Writer

COMPARISONS: Final = {
    "==": JmpOp.JEQ,
    "!=": JmpOp.JNE,
    ">": JmpOp.JGT,
    ">=": JmpOp.JGE,
    "<": JmpOp.JLT,
    "<=": JmpOp.JLE,
    "&": JmpOp.JSET,
    "s>": JmpOp.JSGT,
    "s>=": JmpOp.JSGE,
    "s<": JmpOp.JSLT,
    "s<=": JmpOp.JSLE,
}
_SYMBOLS: Final = {int(op): symbol for symbol, op in COMPARISONS.items()}
_CLASSES: Final = {True: InsnClass.JMP, False: InsnClass.JMP32}
_UNCONDITIONAL: Final = {"goto": JA, "gotol": GOTOL, "may_goto": MAY_GOTO}
_WORDS: Final = {opcode: word for word, opcode in _UNCONDITIONAL.items()}


def read_target(cursor: Cursor, bounds: Bounds) -> int | str:
    """Read `+3`, `pc+3` or a label; what objdump adds in angle brackets is skipped."""
    token = cursor.peek()
    if token in {"+", "-"} or (token == "pc" and cursor.tokens[cursor.at + 1] in {"+", "-"}):
        cursor.accept("pc")
        skip = cursor.number(bounds)
        if cursor.peek() == "<":
            cursor.at = len(cursor.tokens) - 1
        return skip
    return cursor.name("a label, or a number with its sign such as +3")


def _read_if(cursor: Cursor) -> Insn | Pending:
    cursor.expect("if")
    dst, wide = cursor.register()
    op = COMPARISONS.get(cursor.peek())
    if op is None:
        cursor.fail(f"expected a comparison, one of {' '.join(COMPARISONS)}")
    cursor.take()
    cls, src, imm, source = _CLASSES[wide], 0, 0, Source.K
    if cursor.peek() in REGISTERS:
        src, source = cursor.register_of(wide), Source.X
    else:
        imm = cursor.imm32(wide)
    cursor.expect("goto")
    return _to(Insn(cls | op | source, dst, src, 0, imm), read_target(cursor, S16))


def _to(insn: Insn, target: int | str) -> Insn | Pending:
    if isinstance(target, str):
        return Pending(insn, RefKind.JUMP, target)
    return Insn(insn.opcode, insn.dst, insn.src, target, insn.imm)


def _read_goto(cursor: Cursor) -> Insn | Pending:
    opcode = _UNCONDITIONAL[cursor.take()]
    return _to(Insn(opcode), read_target(cursor, S16))


def _read_gotol(cursor: Cursor) -> Insn | Pending:
    cursor.take()
    target = read_target(cursor, S32)
    return Pending(Insn(GOTOL), RefKind.JUMP, target) if isinstance(target, str) else Insn(GOTOL, imm=target)


def _read_gotox(cursor: Cursor) -> Insn:
    cursor.take()
    return Insn(GOTOX, cursor.register_of(wide=True))


def _read_exit(cursor: Cursor) -> Insn:
    cursor.take()
    return Insn(EXIT)


STATEMENTS: Final[Mapping[str, Callable[[Cursor], Insn | Pending]]] = {
    "if": _read_if,
    "goto": _read_goto,
    "gotol": _read_gotol,
    "may_goto": _read_goto,
    "gotox": _read_gotox,
    "exit": _read_exit,
}


def target_text(index: int, skip: int, names: Names) -> str:
    """Write the target of a jump at a slot: its label, or how many slots it skips."""
    label = names.labels.get(index + 1 + skip)
    return f"{skip:+d}" if label is None else quoted(label)


def _write_if_imm(insn: Insn, index: int, names: Names) -> str:
    register = f"{'r' if insn.opcode & 7 == InsnClass.JMP else 'w'}{insn.dst}"
    symbol = _SYMBOLS[insn.opcode & OPERATION_MASK]
    return "" if insn.src else f"if {register} {symbol} {insn.imm} goto {target_text(index, insn.off, names)}"


def _write_if_reg(insn: Insn, index: int, names: Names) -> str:
    letter = "r" if insn.opcode & 7 == InsnClass.JMP else "w"
    symbol = _SYMBOLS[insn.opcode & OPERATION_MASK]
    target = target_text(index, insn.off, names)
    return "" if insn.imm else f"if {letter}{insn.dst} {symbol} {letter}{insn.src} goto {target}"


def _write_goto(insn: Insn, index: int, names: Names) -> str:
    skip, unused = (insn.imm, insn.off) if insn.opcode == GOTOL else (insn.off, insn.imm)
    return "" if insn.dst or insn.src or unused else f"{_WORDS[insn.opcode]} {target_text(index, skip, names)}"


def _write_exit(insn: Insn, _index: int, _names: Names) -> str:
    return "" if insn.dst or insn.src or insn.off or insn.imm else "exit"


def _write_gotox(insn: Insn, _index: int, _names: Names) -> str:
    return "" if insn.src or insn.off or insn.imm else f"gotox r{insn.dst}"


WRITERS: Final[Mapping[int, Writer]] = {
    **{cls | op | Source.K: _write_if_imm for cls in _CLASSES.values() for op in COMPARISONS.values()},
    **{cls | op | Source.X: _write_if_reg for cls in _CLASSES.values() for op in COMPARISONS.values()},
    **dict.fromkeys(_WORDS, _write_goto),
    EXIT: _write_exit,
    GOTOX: _write_gotox,
}
