"""From items to instructions: every label, data symbol and map name finds its field."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from bpflab.abi.insn import CALL, LD_IMM64, CallSource, WideSource
from bpflab.arguments import near_names
from bpflab.asm.assembled import Assembled, KfuncRef, MapRef
from bpflab.asm.calls import call
from bpflab.asm.insn import Insn, signed32
from bpflab.asm.item import Data, Pending, RefKind
from bpflab.asm.layout import is_jump, lay_out, lengthened
from bpflab.errors import UnknownHelperError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.asm.item import Item
    from bpflab.asm.layout import Blame, Layout

MAP_SECTION: Final = ".maps"
"""The section in which compilers define maps: a symbol there names a map, not data."""

ENTRY: Final = "main"
"""What the program itself is called if no label stands at its first instruction."""


class Listing(Protocol):
    """The items of a program, the line of each if it comes from text, and how to blame one."""

    items: list[Item]
    lines: list[int]

    def blame(self, index: int, name: str, why: str) -> NoReturn:
        """Raise AssemblyError about an item and show it; `name` is the word in it that is wrong, or ""."""


@dataclass(slots=True)
class _Linker:
    items: Sequence[Item]
    blame: Blame
    layout: Layout
    symbols: Mapping[str, tuple[str, int]]
    map_refs: list[MapRef] = field(default_factory=list)
    kfunc_refs: list[KfuncRef] = field(default_factory=list)

    def insns(self) -> Iterable[Insn]:
        for index, item in enumerate(self.items):
            if type(item) is Insn:
                yield item
            elif isinstance(item, Pending):
                yield from _RESOLVE[item.kind](self, index, item)

    def distance(self, index: int, item: Pending) -> int:
        if item.name not in self.layout.labels:
            self.blame(
                index, item.name, f"label {item.name!r} is not defined{near_names(item.name, self.layout.labels)}"
            )
        return self.layout.distance(index, item.name)

    def jump(self, index: int, item: Pending) -> tuple[Insn, ...]:
        distance = self.distance(index, item)
        if index in self.layout.long:
            return lengthened(item.insn, distance)
        return (replace(item.insn, off=distance) if is_jump(item) else replace(item.insn, imm=distance),)

    def call(self, index: int, item: Pending) -> tuple[Insn, ...]:
        return (replace(item.insn, imm=self.distance(index, item)),)

    def callee(self, index: int, item: Pending) -> tuple[Insn, ...]:
        if item.name in self.layout.labels:
            return self.call(index, item)
        try:
            return (call(item.name),)
        except UnknownHelperError as error:
            why = f"no label of the program is called {item.name!r}. {error} A kernel function is `call kfunc[name]`."
            self.blame(index, item.name, why)

    def func(self, index: int, item: Pending) -> tuple[Insn, ...]:
        distance = self.distance(index, item)
        return Insn(LD_IMM64, item.insn.dst, WideSource.FUNC.value, imm=distance), Insn(0)

    def map(self, index: int, item: Pending) -> tuple[Insn, ...]:
        kind = WideSource.MAP_FD if item.kind is RefKind.MAP else WideSource.MAP_VALUE
        return self.map_ref(index, item, MapRef(self.layout.starts[index], item.name, kind, item.offset))

    def map_ref(self, index: int, item: Pending, ref: MapRef) -> tuple[Insn, ...]:
        if ref.offset not in range(1 << 32):
            self.blame(index, item.name, f"the offset {ref.offset} does not fit 32 bits")
        self.map_refs.append(ref)
        return Insn(LD_IMM64, item.insn.dst, ref.kind.value), Insn(0, imm=signed32(ref.offset))

    def data(self, index: int, item: Pending) -> tuple[Insn, ...]:
        if item.name not in self.symbols:
            why = f"data symbol {item.name!r} is not defined{near_names(item.name, self.symbols)}"
            self.blame(index, item.name, why)
        section, offset = self.symbols[item.name]
        slot = self.layout.starts[index]
        if section == MAP_SECTION:
            return self.map_ref(index, item, MapRef(slot, item.name, WideSource.MAP_FD))
        return self.map_ref(index, item, MapRef(slot, section, WideSource.MAP_VALUE, offset + item.offset))

    def symbol(self, index: int, item: Pending) -> tuple[Insn, ...]:
        if item.name in self.symbols or item.offset:
            return self.data(index, item)
        if item.name in self.layout.labels:
            return self.func(index, item)
        return self.map_ref(index, item, MapRef(self.layout.starts[index], item.name, WideSource.MAP_FD))

    def kfunc(self, index: int, item: Pending) -> tuple[Insn, ...]:
        self.kfunc_refs.append(KfuncRef(self.layout.starts[index], item.name))
        return (item.insn,)


_RESOLVE: Final[Mapping[RefKind, Callable[[_Linker, int, Pending], tuple[Insn, ...]]]] = {
    RefKind.JUMP: _Linker.jump,
    RefKind.CALL: _Linker.call,
    RefKind.CALLEE: _Linker.callee,
    RefKind.FUNC: _Linker.func,
    RefKind.MAP: _Linker.map,
    RefKind.MAP_VALUE: _Linker.map,
    RefKind.DATA: _Linker.data,
    RefKind.SYMBOL: _Linker.symbol,
    RefKind.KFUNC: _Linker.kfunc,
}


def link(listing: Listing, byteorder: ByteOrder) -> tuple[Assembled, Layout]:
    """Resolve what can be resolved without a kernel; also say where each item stands."""
    items, blame = listing.items, listing.blame
    sections, symbols = _data(items, blame)
    layout = lay_out(items, blame)
    linker = _Linker(items, blame, layout, symbols)
    insns = tuple(linker.insns())
    return (
        Assembled(
            insns,
            byteorder,
            tuple(linker.map_refs),
            tuple(linker.kfunc_refs),
            layout.labels,
            _subprograms(insns, layout.labels),
            sections,
        ),
        layout,
    )


def _data(items: Sequence[Item], blame: Blame) -> tuple[dict[str, bytes], dict[str, tuple[str, int]]]:
    """Lay out the data sections: their bytes, and the section and offset of each symbol."""
    sections: dict[str, bytearray] = {}
    symbols: dict[str, tuple[str, int]] = {}
    for index, item in enumerate(items):
        if isinstance(item, Data):
            content = sections.setdefault(item.section, bytearray())
            content += bytes(-len(content) % item.align)
            if item.name in symbols:
                blame(index, item.name, f"data symbol {item.name!r} is defined twice")
            if item.name:
                symbols[item.name] = item.section, len(content)
            content += item.content
    kept = {name: bytes(content) for name, content in sections.items() if content and name != MAP_SECTION}
    return kept, symbols


def _subprograms(insns: Sequence[Insn], labels: Mapping[str, int]) -> dict[int, str]:
    """Name the program at slot 0 and everything that is called or whose address is taken."""
    names: dict[int, str] = {}
    for name, slot in labels.items():
        names.setdefault(slot, name)
    starts = {0}
    for index, insn in enumerate(insns):
        is_call = insn.opcode == CALL and insn.src == CallSource.SUBPROG
        if is_call or (insn.opcode == LD_IMM64 and insn.src == WideSource.FUNC):
            starts.add(index + 1 + insn.imm)
    inside = sorted(start for start in starts if start in range(len(insns)))
    return {start: names.get(start, ENTRY if start == 0 else f"sub_{start}") for start in inside}
