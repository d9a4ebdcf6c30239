"""64-bit immediates as text: `r1 = 0x123 ll`, `r1 = counts ll`, `r1 = map[name:counts]`, `r2 = subprog[sub]`.

A map is `map[fd:3]`, `map[idx:0]` (a place in fd_array) or `map[name:counts]`; `[0]+16` behind it is
the address of byte 16 of its value. bpftool's `map[id:4]` becomes a map called `id:4`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import LD_IMM64, WideSource
from bpflab.asm.insn import Insn, imm64, signed32, split_imm64
from bpflab.asm.item import Pending, RefKind
from bpflab.asm.operand import ANY64, S32, U32
from bpflab.asm.text.cursor import RefusedError
from bpflab.asm.text.lex import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.asm.text.cursor import Cursor
    from bpflab.asm.text.names import Names

Wide = tuple[Insn, Insn]

_PLAIN_OF: Final = {"fd": WideSource.MAP_FD, "idx": WideSource.MAP_IDX}
_VALUE_OF: Final = {"fd": WideSource.MAP_VALUE, "idx": WideSource.MAP_IDX_VALUE}
_FORMS: Final = {
    WideSource.MAP_FD: ("fd", False),
    WideSource.MAP_VALUE: ("fd", True),
    WideSource.MAP_IDX: ("idx", False),
    WideSource.MAP_IDX_VALUE: ("idx", True),
}


def is_wide_number(cursor: Cursor) -> bool:
    """Whether `= NUMBER` is a 64-bit immediate: `ll` follows, or a log printed its opcode."""
    return "ll" in cursor.tokens or cursor.opcode == LD_IMM64


def read_number(cursor: Cursor, dst: int) -> Wide:
    """Read the rest of `r1 = 0x123 ll`."""
    cursor.expect("=")
    words = split_imm64(cursor.number(ANY64))
    cursor.accept("ll")
    return wide(dst, WideSource.IMM, *words)


def read_symbol(cursor: Cursor, dst: int) -> Pending:
    """Read the rest of `r1 = name ll` or `r1 = name+8 ll`, as LLVM writes addresses."""
    cursor.expect("=")
    start = cursor.at
    name = cursor.name("a register, a number or a name")
    offset = cursor.number(U32) if cursor.peek() == "+" else 0
    if not cursor.accept("ll"):
        raise RefusedError(start, f"{name} is no register; the address of a symbol is written `{name} ll`")
    return Pending(Insn(LD_IMM64, dst), RefKind.SYMBOL, name, offset)


def wide(dst: int, source: WideSource, low: int, high: int) -> Wide:
    """Make the two slots of a wide load."""
    return Insn(LD_IMM64, dst, source.value, imm=signed32(low)), Insn(0, imm=signed32(high))


def _map(cursor: Cursor, dst: int, _wide: bool) -> Wide | Pending:
    cursor.expect("=", "map", "[")
    kind = cursor.name("name, fd, id or idx")
    cursor.expect(":")
    if kind in _PLAIN_OF:
        number = cursor.number(U32)
        offset = _value_offset(cursor)
        source = _PLAIN_OF[kind] if offset is None else _VALUE_OF[kind]
        return wide(dst, source, number, offset or 0)
    name = _map_name(cursor, kind)
    offset = _value_offset(cursor)
    ref = RefKind.MAP if offset is None else RefKind.MAP_VALUE
    return Pending(Insn(LD_IMM64, dst), ref, name, offset or 0)


def _map_name(cursor: Cursor, kind: str) -> str:
    if kind == "id":
        return f"id:{cursor.number(U32)}"
    if kind != "name":
        raise RefusedError(cursor.at - 2, "expected map[name:...], map[fd:...], map[id:...] or map[idx:...]")
    return cursor.name("a map's name; put a name of other characters in quotes")


def _value_offset(cursor: Cursor) -> int | None:
    cursor.expect("]")
    if cursor.accept("["):
        cursor.expect("0", "]")
        return cursor.number(U32)
    return cursor.number(U32) if cursor.peek() == "+" else None


def _data(cursor: Cursor, dst: int, _wide: bool) -> Pending:
    cursor.expect("=", "data", "[")
    name = cursor.name("a data symbol")
    cursor.expect("]")
    offset = cursor.number(U32) if cursor.peek() == "+" else 0
    return Pending(Insn(LD_IMM64, dst), RefKind.DATA, name, offset)


def _subprog(cursor: Cursor, dst: int, _wide: bool) -> Wide | Pending:
    cursor.expect("=", "subprog", "[")
    item: Wide | Pending
    if cursor.peek() in {"+", "-"}:
        item = wide(dst, WideSource.FUNC, cursor.number(S32), 0)
    else:
        name = cursor.name("a label, or a number with its sign")
        item = Pending(Insn(LD_IMM64, dst, WideSource.FUNC.value), RefKind.FUNC, name)
    cursor.expect("]")
    return item


def _btf(cursor: Cursor, dst: int, _wide: bool) -> Wide:
    cursor.expect("=", "btf", "[", "id", ":")
    btf_id, fd = cursor.number(U32), 0
    if cursor.accept(","):
        cursor.expect("fd", ":")
        fd = cursor.number(U32)
    cursor.expect("]")
    return wide(dst, WideSource.BTF_ID, btf_id, fd)


def _read_pseudo(cursor: Cursor) -> Wide:
    """Read LLVM's `ld_pseudo r1, 1, 5`: the register, what the number means, the number."""
    cursor.take()
    dst = cursor.register_of(wide=True)
    cursor.expect(",")
    source = WideSource(cursor.number((0, max(WideSource))))
    cursor.expect(",")
    return wide(dst, source, *split_imm64(cursor.number(ANY64)))


ASSIGNED: Final[Mapping[str, Callable[[Cursor, int, bool], Wide | Pending]]] = {
    "map": _map,
    "data": _data,
    "subprog": _subprog,
    "btf": _btf,
}
STATEMENTS: Final[Mapping[str, Callable[[Cursor], Wide]]] = {"ld_pseudo": _read_pseudo}


def write(first: Insn, second: Insn, index: int, names: Names) -> str:
    """Write a wide load, or "" if a field is set that the text cannot show."""
    if first.off or second.opcode or second.dst or second.src or second.off or first.src > max(WideSource):
        return ""
    source, low, high = WideSource(first.src), first.imm & 0xFFFFFFFF, second.imm & 0xFFFFFFFF
    if source is WideSource.IMM:
        return f"r{first.dst} = 0x{imm64(first, second):x} ll"
    if source is WideSource.BTF_ID:
        return f"r{first.dst} = btf[id:{low}, fd:{high}]" if high else f"r{first.dst} = btf[id:{low}]"
    if source is WideSource.FUNC:
        label = names.labels.get(index + 1 + first.imm)
        return "" if high else f"r{first.dst} = subprog[{f'{first.imm:+d}' if label is None else quoted(label)}]"
    return _write_map(first.dst, source, low, high, names)


def _write_map(dst: int, source: WideSource, number: int, offset: int, names: Names) -> str:
    kind, has_offset = _FORMS[source]
    if offset and not has_offset:
        return ""
    name = names.maps.get(number) if kind == "fd" else None
    inside = f"{kind}:{number}" if name is None else f"name:{quoted(name)}"
    return f"r{dst} = map[{inside}]" + (f"[0]+{offset}" if has_offset else "")
