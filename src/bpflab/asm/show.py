"""Things that are not yet instructions, as text: items for errors, whole assembled programs for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL, LD_IMM64, CallSource
from bpflab.asm.disassembler import disassemble, text_at
from bpflab.asm.insn import Insn
from bpflab.asm.item import Data, Label, Pending, RefKind
from bpflab.asm.text.lex import quoted
from bpflab.asm.text.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bpflab.asm.assembled import Assembled
    from bpflab.asm.item import Item

_BYTES_A_LINE: Final = 16


def show_item(item: Item) -> str:
    """Write an item as a text would have it."""
    if isinstance(item, Label):
        return f"{quoted(item.name)}:"
    if isinstance(item, Data):
        return f"data {quoted(item.name)} of {len(item.content)} bytes in {item.section}"
    if isinstance(item, Insn):
        return text_at([item, Insn(0)], 0)
    return _PENDING[item.kind](item)


def _jump(item: Pending) -> str:
    return text_at([item.insn, Insn(0)], 0, Names(labels={1: item.name}))


def _map(item: Pending) -> str:
    offset = f"[0]+{item.offset}" if item.kind is RefKind.MAP_VALUE else ""
    return f"r{item.insn.dst} = map[name:{quoted(item.name)}]{offset}"


def _symbol(item: Pending) -> str:
    return f"r{item.insn.dst} = {quoted(item.name)}{f'+{item.offset}' if item.offset else ''} ll"


def _data(item: Pending) -> str:
    return f"r{item.insn.dst} = data[{quoted(item.name)}]{f'+{item.offset}' if item.offset else ''}"


def _kfunc(item: Pending) -> str:
    return text_at([item.insn], 0, Names(kfuncs={0: item.name}))


_PENDING: Final[Mapping[RefKind, Callable[[Pending], str]]] = {
    RefKind.JUMP: _jump,
    RefKind.CALL: _jump,
    RefKind.CALLEE: _jump,
    RefKind.FUNC: _jump,
    RefKind.MAP: _map,
    RefKind.MAP_VALUE: _map,
    RefKind.SYMBOL: _symbol,
    RefKind.DATA: _data,
    RefKind.KFUNC: _kfunc,
}


def show_assembled(assembled: Assembled) -> str:
    """Write a program with the names of its labels, maps and kfuncs, and its data behind it.

    Names need numbers while they pass through bytes; these are chosen so that none is in use.
    """
    maps = _numbers(assembled.maps, (insn.imm for insn in assembled.insns if insn.opcode == LD_IMM64))
    called = (insn.imm for insn in assembled.insns if insn.opcode == CALL and insn.src == CallSource.KFUNC)
    kfuncs = _numbers(dict.fromkeys(ref.name for ref in assembled.kfunc_refs), called)
    code = disassemble(
        assembled.relocated(maps, kfuncs),
        byteorder=assembled.byteorder,
        labels={slot: name for name, slot in assembled.labels.items()},
        maps={number: name for name, number in maps.items()},
        kfuncs={number: name for name, number in kfuncs.items()},
    )
    return "\n".join([code, *_sections(assembled.data)])


def _numbers(names: Iterable[str], used: Iterable[int]) -> dict[str, int]:
    taken = set(used)
    free = (number for number in range(1, 1 << 31) if number not in taken)
    return dict(zip(names, free, strict=False))


def _sections(data: Mapping[str, bytes]) -> Iterator[str]:
    for name, content in data.items():
        yield f'.section {quoted(name)},"a"'
        for start in range(0, len(content), _BYTES_A_LINE):
            part = content[start : start + _BYTES_A_LINE]
            yield "    .byte " + ", ".join(f"0x{byte:02x}" for byte in part)
