"""Loads and stores as text: `r0 = *(u32 *)(r1 + 4)`, `*(u8 *)(r10 - 1) = 7`, `r0 = *(u16 *)skb[12]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import InsnClass, Mode, Size
from bpflab.asm.insn import Insn
from bpflab.asm.memory import SIGNED_SIZES, SKB_SIZES
from bpflab.asm.operand import S32
from bpflab.asm.text.cursor import REGISTERS, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.asm.text.cursor import Cursor
    from bpflab.asm.text.names import Names, Writer

_TYPES: Final = {f"{sign}{8 * size.width}": (size, sign == "s") for sign in "us" for size in Size}
TYPE_NAMES: Final = {int(size): f"u{8 * size.width}" for size in Size}
"""The unsigned type of each size, as memory operands are written."""


def read_type(cursor: Cursor) -> tuple[Size, bool]:
    """Read `(u32 *)`: the size, and whether the type is signed."""
    cursor.expect("(")
    found = _TYPES.get(cursor.peek())
    if found is None:
        cursor.fail("expected u8, u16, u32, u64, s8, s16 or s32")
    cursor.take()
    cursor.expect("*", ")")
    return found


def read_address(cursor: Cursor) -> tuple[int, int]:
    """Read `r1 + 4`: the register and the offset."""
    return cursor.register_of(wide=True), cursor.offset()


def read_place(cursor: Cursor) -> tuple[int, int]:
    """Read `(r1 + 4)`: the register and the offset."""
    cursor.expect("(")
    base, off = read_address(cursor)
    cursor.expect(")")
    return base, off


def read_unsigned(cursor: Cursor) -> Size:
    """Read `(u32 *)`, where a signed type has no meaning."""
    start = cursor.at
    size, signed = read_type(cursor)
    if signed:
        raise RefusedError(start + 1, "only a load extends the sign: write u8, u16, u32 or u64")
    return size


def check_width(cursor: Cursor, at: int, size: Size, wide: bool) -> None:
    """Refuse a w register, whose word stands at an index, for 64 bits."""
    if size is Size.DW and not wide:
        raise RefusedError(at, f"{cursor.tokens[at]} has 32 bits: write an r register for a u64")


def _load(cursor: Cursor, dst: int, wide: bool) -> Insn:
    cursor.expect("=", "*")
    start = cursor.at
    size, signed = read_type(cursor)
    if cursor.peek() == "skb":
        return _load_skb(cursor, dst, size)
    if signed and (size not in SIGNED_SIZES or not wide):
        raise RefusedError(start + 1, "a load that extends the sign takes s8, s16 or s32 into an r register")
    check_width(cursor, 0, size, wide)
    base, off = read_place(cursor)
    return Insn(InsnClass.LDX | (Mode.MEMSX if signed else Mode.MEM) | size, dst, base, off)


def _load_skb(cursor: Cursor, dst: int, size: Size) -> Insn:
    if dst != 0 or size not in SKB_SIZES:
        raise RefusedError(0, "a load from skb[...] is into r0, of u8, u16 or u32")
    cursor.expect("skb", "[")
    if cursor.peek() in REGISTERS:
        src = cursor.register_of(wide=True)
        imm = cursor.number(S32) if cursor.peek() in {"+", "-"} else 0
        insn = Insn(InsnClass.LD | Mode.IND | size, 0, src, 0, imm)
    else:
        insn = Insn(InsnClass.LD | Mode.ABS | size, imm=cursor.number(S32))
    cursor.expect("]")
    return insn


def read_store(cursor: Cursor) -> Insn:
    """Read `*(u32 *)(r1 + 4) = r2`, or with a number."""
    cursor.expect("*")
    size = read_unsigned(cursor)
    base, off = read_place(cursor)
    cursor.expect("=")
    if cursor.peek() in REGISTERS:
        src, wide = cursor.register()
        check_width(cursor, cursor.at - 1, size, wide)
        return Insn(InsnClass.STX | Mode.MEM | size, base, src, off)
    return Insn(InsnClass.ST | Mode.MEM | size, base, 0, off, cursor.imm32(size is Size.DW))


ASSIGNED: Final[Mapping[str, Callable[[Cursor, int, bool], Insn]]] = {"*": _load}
STATEMENTS: Final[Mapping[str, Callable[[Cursor], Insn]]] = {"*": read_store}


def place(base: int, off: int) -> str:
    """Write a register and an offset: `r1 + 4`, `r10 - 8`."""
    return f"r{base} + {off}" if off >= 0 else f"r{base} - {-off}"


def _write_load(insn: Insn, _index: int, _names: Names) -> str:
    type_name = TYPE_NAMES[insn.opcode & 0x18]
    return "" if insn.imm else f"r{insn.dst} = *({type_name} *)({place(insn.src, insn.off)})"


def _write_signed_load(insn: Insn, _index: int, _names: Names) -> str:
    bits = TYPE_NAMES[insn.opcode & 0x18][1:]
    return "" if insn.imm else f"r{insn.dst} = *(s{bits} *)({place(insn.src, insn.off)})"


def _write_store(insn: Insn, _index: int, _names: Names) -> str:
    size = insn.opcode & 0x18
    register = f"{'r' if size == Size.DW else 'w'}{insn.src}"
    return "" if insn.imm else f"*({TYPE_NAMES[size]} *)({place(insn.dst, insn.off)}) = {register}"


def _write_store_imm(insn: Insn, _index: int, _names: Names) -> str:
    type_name = TYPE_NAMES[insn.opcode & 0x18]
    return "" if insn.src else f"*({type_name} *)({place(insn.dst, insn.off)}) = {insn.imm}"


def _write_skb(insn: Insn, _index: int, _names: Names) -> str:
    if insn.dst or insn.off or (insn.src and insn.opcode & 0xE0 == Mode.ABS):
        return ""
    type_name = TYPE_NAMES[insn.opcode & 0x18]
    if insn.opcode & 0xE0 == Mode.ABS:
        return f"r0 = *({type_name} *)skb[{insn.imm}]"
    offset = f" {'-' if insn.imm < 0 else '+'} {abs(insn.imm)}" if insn.imm else ""
    return f"r0 = *({type_name} *)skb[r{insn.src}{offset}]"


WRITERS: Final[Mapping[int, Writer]] = {
    **{InsnClass.LDX | Mode.MEM | size: _write_load for size in Size},
    **{InsnClass.LDX | Mode.MEMSX | size: _write_signed_load for size in SIGNED_SIZES},
    **{InsnClass.STX | Mode.MEM | size: _write_store for size in Size},
    **{InsnClass.ST | Mode.MEM | size: _write_store_imm for size in Size},
    **{InsnClass.LD | mode | size: _write_skb for mode in (Mode.ABS, Mode.IND) for size in SKB_SIZES},
}
