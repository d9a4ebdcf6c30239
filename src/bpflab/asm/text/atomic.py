"""Atomics as text: `lock *(u64 *)(r10 - 8) += r1`, `r1 = atomic_fetch_add((u64 *)(r10 - 8), r1)`.

LLVM's words are written. The kernel's are read as well: `atomic64_fetch_add`, `atomic64_xchg((u64
*)(r10 -8), r1)`, `atomic_cmpxchg((u32 *)(r10 -8), r0, r1)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import AtomicOp, InsnClass, Mode, Size
from bpflab.asm.atomic import ATOMIC_SIZES
from bpflab.asm.insn import Insn
from bpflab.asm.text.cursor import RefusedError
from bpflab.asm.text.memory import TYPE_NAMES, check_width, place, read_address, read_place, read_unsigned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.asm.text.cursor import Cursor
    from bpflab.asm.text.names import Names, Writer

_LOCKED: Final = {"+=": AtomicOp.ADD, "|=": AtomicOp.OR, "&=": AtomicOp.AND, "^=": AtomicOp.XOR}
_LOCKED_SYMBOLS: Final = {int(op): symbol for symbol, op in _LOCKED.items()}
_FETCHES: Final = {
    "add": AtomicOp.FETCH_ADD,
    "or": AtomicOp.FETCH_OR,
    "and": AtomicOp.FETCH_AND,
    "xor": AtomicOp.FETCH_XOR,
}
_FETCH_NAMES: Final = {int(op): f"atomic_fetch_{name}" for name, op in _FETCHES.items()}
_FETCH_OPS: Final = {f"atomic{bits}_fetch_{name}": op for bits in ("", "64") for name, op in _FETCHES.items()}
_SIZED: Final = {"xchg_64": Size.DW, "xchg32_32": Size.W, "cmpxchg_64": Size.DW, "cmpxchg32_32": Size.W}
_TYPED: Final = ("atomic_xchg", "atomic64_xchg", "atomic_cmpxchg", "atomic64_cmpxchg")
_ATOMIC: Final = InsnClass.STX | Mode.ATOMIC


def _read_locked(cursor: Cursor) -> Insn:
    cursor.expect("lock", "*")
    size = _atomic_size(cursor)
    base, off = read_place(cursor)
    op = _LOCKED.get(cursor.peek())
    if op is None:
        cursor.fail("expected +=, |=, &= or ^=")
    cursor.take()
    return Insn(_ATOMIC | size, base, _value(cursor, size), off, op.value)


def _read_fetch(cursor: Cursor, dst: int, wide: bool) -> Insn:
    cursor.expect("=")
    op = _FETCH_OPS[cursor.take()]
    cursor.expect("(")
    size = _atomic_size(cursor)
    base, off = read_place(cursor)
    src = _last_argument(cursor, size)
    _check_result(cursor, (dst, wide), src, size)
    return Insn(_ATOMIC | size, base, src, off, op.value)


def _read_sized(cursor: Cursor, dst: int, wide: bool) -> Insn:
    """Read LLVM's `xchg_64(r10 - 8, r1)`, whose name has the size."""
    cursor.expect("=")
    name = cursor.take()
    cursor.expect("(")
    base, off = read_address(cursor)
    return _exchange(cursor, (dst, wide), _SIZED[name], (base, off), is_compare=name.startswith("cmp"))


def _read_typed(cursor: Cursor, dst: int, wide: bool) -> Insn:
    """Read the kernel's `atomic64_xchg((u64 *)(r10 -8), r1)`, which shows the type."""
    cursor.expect("=")
    name = cursor.take()
    cursor.expect("(")
    size = _atomic_size(cursor)
    return _exchange(cursor, (dst, wide), size, read_place(cursor), is_compare=name.endswith("cmpxchg"))


def _exchange(cursor: Cursor, dst: tuple[int, bool], size: Size, at: tuple[int, int], *, is_compare: bool) -> Insn:
    op = AtomicOp.CMPXCHG if is_compare else AtomicOp.XCHG
    if is_compare:
        cursor.expect(",")
        if cursor.register()[0] != 0:
            raise RefusedError(cursor.at - 1, "a compare-and-exchange compares with r0")
    src = _last_argument(cursor, size)
    _check_result(cursor, dst, 0 if is_compare else src, size)
    return Insn(_ATOMIC | size, at[0], src, at[1], op.value)


def _read_acquire(cursor: Cursor, dst: int, wide: bool) -> Insn:
    cursor.expect("=", "load_acquire", "(")
    size = read_unsigned(cursor)
    check_width(cursor, 0, size, wide)
    base, off = read_place(cursor)
    cursor.expect(")")
    return Insn(_ATOMIC | size, dst, base, off, AtomicOp.LOAD_ACQ.value)


def _read_release(cursor: Cursor) -> Insn:
    cursor.expect("store_release", "(")
    size = read_unsigned(cursor)
    base, off = read_place(cursor)
    src = _last_argument(cursor, size)
    return Insn(_ATOMIC | size, base, src, off, AtomicOp.STORE_REL.value)


def _atomic_size(cursor: Cursor) -> Size:
    start = cursor.at
    size = read_unsigned(cursor)
    if size not in ATOMIC_SIZES:
        raise RefusedError(start + 1, "an atomic works on u32 or u64")
    return size


def _last_argument(cursor: Cursor, size: Size) -> int:
    cursor.expect(",")
    src = _value(cursor, size)
    cursor.expect(")")
    return src


def _value(cursor: Cursor, size: Size) -> int:
    src, wide = cursor.register()
    check_width(cursor, cursor.at - 1, size, wide)
    return src


def _check_result(cursor: Cursor, dst: tuple[int, bool], expected: int, size: Size) -> None:
    if dst[0] != expected:
        raise RefusedError(0, f"the old value comes back in r{expected}: write it on the left")
    check_width(cursor, 0, size, dst[1])


ASSIGNED: Final[Mapping[str, Callable[[Cursor, int, bool], Insn]]] = {
    **dict.fromkeys(_FETCH_OPS, _read_fetch),
    **dict.fromkeys(_SIZED, _read_sized),
    **dict.fromkeys(_TYPED, _read_typed),
    "load_acquire": _read_acquire,
}
STATEMENTS: Final[Mapping[str, Callable[[Cursor], Insn]]] = {"lock": _read_locked, "store_release": _read_release}


def _write(insn: Insn, _index: int, _names: Names) -> str:
    size, letter = insn.opcode & 0x18, "r" if insn.opcode & 0x18 == Size.DW else "w"
    type_name, op = TYPE_NAMES[size], insn.imm
    if op == AtomicOp.LOAD_ACQ:
        return f"{letter}{insn.dst} = load_acquire(({type_name} *)({place(insn.src, insn.off)}))"
    at, src = place(insn.dst, insn.off), f"{letter}{insn.src}"
    if op == AtomicOp.STORE_REL:
        return f"store_release(({type_name} *)({at}), {src})"
    return _write_read_modify_write(op, at, src) if size in ATOMIC_SIZES else ""


def _write_read_modify_write(op: int, at: str, src: str) -> str:
    type_name, sized = ("u64", "_64") if src[0] == "r" else ("u32", "32_32")
    if op in _LOCKED_SYMBOLS:
        return f"lock *({type_name} *)({at}) {_LOCKED_SYMBOLS[op]} {src}"
    if op in _FETCH_NAMES:
        return f"{src} = {_FETCH_NAMES[op]}(({type_name} *)({at}), {src})"
    if op == AtomicOp.XCHG:
        return f"{src} = xchg{sized}({at}, {src})"
    return f"{src[0]}0 = cmpxchg{sized}({at}, {src[0]}0, {src})" if op == AtomicOp.CMPXCHG else ""


WRITERS: Final[Mapping[int, Writer]] = {_ATOMIC | size: _write for size in Size}
