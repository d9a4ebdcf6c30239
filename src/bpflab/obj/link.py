"""Join a program with the functions it needs, and say which maps its instructions mean.

Each function is laid behind the program once, in the order of first use, followed by what it calls; calls and
loads of function addresses get their distance. The callback of its exceptions, which nothing calls, comes last. What
is left for a loader is listed as relocations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.abi.elf import RelocationType
from bpflab.abi.insn import INSN_SIZE, CallSource, WideSource
from bpflab.errors import ObjectError
from bpflab.obj.exceptions import NO_CALLBACKS
from bpflab.obj.functions import Function
from bpflab.obj.insns import Code
from bpflab.obj.relocations import Extern, ExternKind, Relocation, RelocationKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpflab.obj.elf import Elf, ElfRelocation
    from bpflab.obj.functions import Functions
    from bpflab.obj.map_places import MapPlaces
    from bpflab.obj.spec import MapSpec

LINKED_LIMIT: Final = 64 << 20
"""Most bytes all programs of an object may take, each with its own copy of what it calls."""

Reference: TypeAlias = Function | Relocation
"""What an instruction refers to; the Relocation counts slots from its function's start."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A program in one piece: its instructions, the slot where each function starts, its relocations."""

    insns: bytes
    starts: Mapping[Function, int]
    relocations: tuple[Relocation, ...]


class Linker:
    """Links the programs of one object."""

    def __init__(
        self,
        elf: Elf,
        functions: Functions,
        places: MapPlaces,
        externs: Mapping[str, Extern],
        *,
        kconfig: MapSpec | None = None,
        callbacks: Mapping[str, str] = NO_CALLBACKS,
    ) -> None:
        self._elf = elf
        self._functions = functions
        self._places = places
        self._externs = externs
        self._kconfig = kconfig
        self._callbacks = callbacks
        self._known: dict[Function, dict[int, Reference]] = {}
        self._linked = 0

    def link(self, program: Function) -> Linked:
        """Link a program; ObjectError where an instruction refers to what the object does not hold."""
        starts = self._starts(program)
        code = Code(b"".join(self._bytes(each) for each in starts), self._elf.byteorder)
        relocations: list[Relocation] = []
        for function, start in starts.items():
            for slot, target in self._references(function).items():
                if isinstance(target, Function):
                    _point_to(code, start + slot, starts[target])
                else:
                    relocations.append(_moved(code, start + slot, target))
        return Linked(bytes(code.data), starts, tuple(relocations))

    def _starts(self, program: Function) -> dict[Function, int]:
        """Give each function that the program needs a start, in slots: as libbpf, each before what it calls itself."""
        starts, end = {program: 0}, program.size // INSN_SIZE
        way = [self._callback(program), self._called(program)]
        while way:
            target = next((each for each in way[-1] if each not in starts), None)
            if target is None:
                way.pop()
                continue
            starts[target] = end
            end += target.size // INSN_SIZE
            way.append(self._called(target))
        self._linked += end * INSN_SIZE
        if self._linked > LINKED_LIMIT:
            raise ObjectError(f"the programs with all they call take more than {LINKED_LIMIT} bytes.")
        return starts

    def _called(self, function: Function) -> Iterator[Function]:
        return (each for each in self._references(function).values() if isinstance(each, Function))

    def _callback(self, program: Function) -> Iterator[Function]:
        """Give the function for the program's exceptions; one that the object lacks is for the kernel to refuse."""
        named = self._functions.called(self._callbacks[program.name]) if program.name in self._callbacks else None
        return iter((named,) if named else ())

    def _bytes(self, function: Function) -> bytes:
        return self._elf.sections[function.section].data[function.offset : function.offset + function.size]

    def _references(self, function: Function) -> dict[int, Reference]:
        """Give what each slot of a function refers to, if it does."""
        if function not in self._known:
            self._known[function] = dict(self._find_references(function))
        return self._known[function]

    def _find_references(self, function: Function) -> Iterator[tuple[int, Reference]]:
        code = Code(self._bytes(function), self._elf.byteorder)
        relocations = self._relocations.get(function.section, {})
        for slot in code:
            at = function.offset + slot * INSN_SIZE
            relocation = relocations.get(at)
            if relocation is not None:
                yield slot, self._target(code, slot, relocation, function)
            elif code.is_subprogram_call(slot):
                yield slot, self._functions.at(function.section, at + (1 + code.imm(slot)) * INSN_SIZE)

    @cached_property
    def _relocations(self) -> dict[int, dict[int, ElfRelocation]]:
        """The relocations of each section of code, by the byte they patch."""
        return {
            section: {each.offset: each for each in found}
            for section, found in self._elf.relocations.items()
            if self._functions.holds(section)
        }

    def _target(self, code: Code, slot: int, relocation: ElfRelocation, function: Function) -> Reference:
        symbol, addend = relocation.symbol, code.imm(slot)
        if not symbol.section:
            return self._extern(code, slot, symbol.name, function)
        if relocation.type == RelocationType.CALL and code.is_call(slot):
            return self._functions.at(symbol.section, symbol.value + (addend + 1) * INSN_SIZE)
        if relocation.type == RelocationType.LD_IMM64 and code.is_wide(slot):
            if self._functions.holds(symbol.section):
                return self._functions.at(symbol.section, symbol.value + addend)
            return self._map(slot, symbol.section, symbol.value + addend, function)
        raise ObjectError(
            f"instruction {slot} of {function.name!r} has a relocation of type {relocation.type} to "
            f"{symbol.name!r}, which does not fit it; the object is malformed, or made for another loader."
        )

    def _extern(self, code: Code, slot: int, name: str, function: Function) -> Relocation:
        """Say what an instruction wants of a symbol that the object does not define."""
        extern = self._externs.get(name)
        if extern is None:
            raise ObjectError(_undefined(name, function))
        if code.is_call(slot) and extern.kind is ExternKind.FUNCTION:
            return Relocation(slot, RelocationKind.KFUNC_CALL, name)
        if not code.is_wide(slot):
            raise ObjectError(f"instruction {slot} of {function.name!r} does not fit {name!r}, a {extern.kind}.")
        if extern.kind is ExternKind.KCONFIG and self._kconfig is not None:
            offset = self._kconfig.variables[name].offset + code.imm(slot)
            return Relocation(slot, RelocationKind.MAP_VALUE, self._kconfig.name, offset)
        kind = RelocationKind.KSYM_ADDRESS if extern.kind is ExternKind.ADDRESS else RelocationKind.KSYM
        return Relocation(slot, kind, name)

    def _map(self, slot: int, section: int, offset: int, function: Function) -> Relocation:
        place = self._places.at(section, offset)
        if place is not None and (place.arena or place.spec.data is not None):
            return Relocation(slot, RelocationKind.MAP_VALUE, place.spec.name, offset)
        if place is None or offset != place.offset:
            where = self._elf.sections[section].name if section in self._elf.sections else f"number {section}"
            raise ObjectError(
                f"instruction {slot} of {function.name!r} refers to byte {offset} of section {where!r}, "
                "where no map or variable is."
            )
        return Relocation(slot, RelocationKind.MAP_FD, place.spec.name)


def _point_to(code: Code, slot: int, target: int) -> None:
    """Give a call, or a load of a function's address, the distance to a slot."""
    code.set_imm(slot, target - slot - 1)
    if code.is_call(slot):
        code.set_src(slot, CallSource.SUBPROG)
    else:
        code.set_src(slot, WideSource.FUNC)
        code.set_imm(slot + 1, 0)


_SOURCES: Final = {
    RelocationKind.MAP_FD: WideSource.MAP_FD,
    RelocationKind.MAP_VALUE: WideSource.MAP_VALUE,
    RelocationKind.KFUNC_CALL: CallSource.KFUNC,
    RelocationKind.KSYM: WideSource.BTF_ID,
    RelocationKind.KSYM_ADDRESS: WideSource.IMM,
}
_C_LIBRARY: Final = frozenset({"memcpy", "memmove", "memset", "memcmp", "strlen", "strcmp", "strncmp", "printf"})


def _undefined(name: str, function: Function) -> str:
    if name in _C_LIBRARY:
        return (
            f"{function.name!r} calls {name}(), and BPF has no C library. Write a loop, or for copying and comparing "
            "a __builtin_ function with a small constant size, which the compiler writes out."
        )
    return (
        f"{function.name!r} uses {name!r}, which the object does not define. If the kernel provides it, declare it "
        "with __ksym or __kconfig; if another object does, link the two to one first: "
        "bpftool gen object linked.o one.o other.o."
    )


def _moved(code: Code, slot: int, relocation: Relocation) -> Relocation:
    """Prepare an instruction for the loader, and give its relocation the slot it has come to."""
    code.set_src(slot, _SOURCES[relocation.kind])
    code.set_imm(slot, 0)
    if code.is_wide(slot):
        code.set_imm(slot + 1, relocation.offset)
    return Relocation(slot, relocation.kind, relocation.symbol, relocation.offset)
