"""Arithmetic, moves and swaps as text: `r1 += 2`, `w0 = w1`, `r0 = (s8)r1`, `r1 = be16 r1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import ADDR_SPACE_CAST_OFF, OPERATION_MASK, AluOp, InsnClass, Source
from bpflab.asm.insn import Insn
from bpflab.asm.text.cursor import REGISTERS, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.asm.text.cursor import Cursor
    from bpflab.asm.text.names import Names, Writer

OPERATORS: Final = {
    "+=": (AluOp.ADD, 0),
    "-=": (AluOp.SUB, 0),
    "*=": (AluOp.MUL, 0),
    "/=": (AluOp.DIV, 0),
    "s/=": (AluOp.DIV, 1),
    "%=": (AluOp.MOD, 0),
    "s%=": (AluOp.MOD, 1),
    "|=": (AluOp.OR, 0),
    "&=": (AluOp.AND, 0),
    "^=": (AluOp.XOR, 0),
    "<<=": (AluOp.LSH, 0),
    ">>=": (AluOp.RSH, 0),
    "s>>=": (AluOp.ARSH, 0),
    "=": (AluOp.MOV, 0),
}
"""Operation and offset of each operator."""

_SYMBOLS: Final = {(int(op), off): symbol for symbol, (op, off) in OPERATORS.items()}
_SIGNED: Final = {"s8": 8, "s16": 16, "s32": 32}
_SWAPS: Final = {
    f"{name}{bits}": (cls | AluOp.END | source, bits)
    for name, cls, source in (
        ("le", InsnClass.ALU, Source.K),
        ("be", InsnClass.ALU, Source.X),
        ("bswap", InsnClass.ALU64, Source.K),
    )
    for bits in (16, 32, 64)
}
_SWAP_NAMES: Final = {key: name for name, key in _SWAPS.items()}
_CLASSES: Final = {True: InsnClass.ALU64, False: InsnClass.ALU}
_LETTERS: Final = {int(InsnClass.ALU64): "r", int(InsnClass.ALU): "w"}


def read_binary(cursor: Cursor, dst: int, wide: bool) -> Insn:
    """Read the operator and the second operand."""
    op, off = OPERATORS[cursor.take()]
    if op is AluOp.MOV and cursor.peek()[:1] == "w":
        wide = False  # LLVM writes `r0 = w1` for a 32-bit move whose result is used as 64 bits
    cls = _CLASSES[wide]
    if cursor.peek() in REGISTERS:
        return Insn(cls | op | Source.X, dst, cursor.register_of(wide), off)
    return Insn(cls | op | Source.K, dst, 0, off, cursor.imm32(wide))


def read_negation(cursor: Cursor, dst: int, wide: bool) -> Insn:
    """Read the rest of `r1 = -r1`."""
    cursor.expect("=", "-")
    _same(cursor, dst, wide)
    return Insn(_CLASSES[wide] | AluOp.NEG, dst)


def _signed_move(cursor: Cursor, dst: int, wide: bool) -> Insn:
    cursor.expect("=", "(")
    bits = _SIGNED.get(cursor.peek())
    if bits is None or (bits == 32 and not wide):
        cursor.fail("expected s8, s16 or (in a 64-bit move) s32")
    cursor.take()
    cursor.expect(")")
    return Insn(_CLASSES[wide] | AluOp.MOV | Source.X, dst, cursor.register_of(wide), bits)


def _swap(cursor: Cursor, dst: int, wide: bool) -> Insn:
    cursor.expect("=")
    opcode, bits = _SWAPS[cursor.take()]
    _same(cursor, dst, wide)
    return Insn(opcode, dst, imm=bits)


def _cast(cursor: Cursor, dst: int, wide: bool) -> Insn:
    cursor.expect("=", "addr_space_cast", "(")
    src = cursor.register_of(wide)
    cursor.expect(",")
    to_space = cursor.number((-0x8000, 0x7FFF))
    cursor.expect(",")
    from_space = cursor.number((0, 0xFFFF))
    cursor.expect(")")
    imm = to_space << 16 | from_space
    return Insn(InsnClass.ALU64 | AluOp.MOV | Source.X, dst, src, ADDR_SPACE_CAST_OFF, imm)


def _same(cursor: Cursor, dst: int, wide: bool) -> None:
    if cursor.register_of(wide) != dst:
        raise RefusedError(cursor.at - 1, "this operation has one operand: write the same register on both sides")


ASSIGNED: Final[Mapping[str, Callable[[Cursor, int, bool], Insn]]] = {
    "(": _signed_move,
    "addr_space_cast": _cast,
    **dict.fromkeys(_SWAPS, _swap),
}
"""Readers by the first word after `r1 =`."""


def _write_imm(insn: Insn, _index: int, _names: Names) -> str:
    symbol = _SYMBOLS.get((insn.opcode & OPERATION_MASK, insn.off))
    return "" if symbol is None or insn.src else f"{_LETTERS[insn.opcode & 7]}{insn.dst} {symbol} {insn.imm}"


def _write_reg(insn: Insn, _index: int, _names: Names) -> str:
    symbol = _SYMBOLS.get((insn.opcode & OPERATION_MASK, insn.off))
    letter = _LETTERS[insn.opcode & 7]
    return "" if symbol is None or insn.imm else f"{letter}{insn.dst} {symbol} {letter}{insn.src}"


def _write_move(insn: Insn, index: int, names: Names) -> str:
    wide = insn.opcode & 7 == InsnClass.ALU64
    if insn.off == ADDR_SPACE_CAST_OFF and wide:
        return f"r{insn.dst} = addr_space_cast(r{insn.src}, {insn.imm >> 16}, {insn.imm & 0xFFFF})"
    if insn.off in {8, 16, 32 if wide else 8} and not insn.imm:
        letter = _LETTERS[insn.opcode & 7]
        return f"{letter}{insn.dst} = (s{insn.off}){letter}{insn.src}"
    return _write_reg(insn, index, names)


def _write_negation(insn: Insn, _index: int, _names: Names) -> str:
    letter = _LETTERS[insn.opcode & 7]
    return "" if insn.src or insn.off or insn.imm else f"{letter}{insn.dst} = -{letter}{insn.dst}"


def _write_swap(insn: Insn, _index: int, _names: Names) -> str:
    name = _SWAP_NAMES.get((insn.opcode, insn.imm))
    return "" if name is None or insn.src or insn.off else f"r{insn.dst} = {name} r{insn.dst}"


def _writers() -> dict[int, Writer]:
    writers: dict[int, Writer] = {opcode: _write_swap for opcode, _ in _SWAPS.values()}
    for cls in _CLASSES.values():
        for op, _ in OPERATORS.values():
            writers[cls | op | Source.K] = _write_imm
            writers[cls | op | Source.X] = _write_reg
        writers[cls | AluOp.MOV | Source.X] = _write_move
        writers[cls | AluOp.NEG] = _write_negation
    return writers


WRITERS: Final[Mapping[int, Writer]] = _writers()
