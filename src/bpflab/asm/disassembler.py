"""Instructions as text, in one canonical form that `assemble` reads back to the same bytes.

The words are those on which the kernel and LLVM agree, LLVM's where they differ. What no text can
show (an unknown opcode, a reserved field that is set) is written as `.insn` with its five fields.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import LD_IMM64, REG_COUNT
from bpflab.asm.insn import Insn, decode, is_subprogram_reference
from bpflab.asm.jump import jump_distance
from bpflab.asm.text import alu, atomic, call, jump, memory, wide
from bpflab.asm.text.lex import quoted
from bpflab.asm.text.names import Names, Writer
from bpflab.errors import AssemblyError, UnknownHelperError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpflab.abi.layout import ByteOrder

WRITERS: Final[Mapping[int, Writer]] = MappingProxyType(
    {**alu.WRITERS, **memory.WRITERS, **atomic.WRITERS, **jump.WRITERS, **call.WRITERS}
)
_NONE: Final[Mapping[int, str]] = MappingProxyType({})


def disassemble(
    program: bytes | bytearray | memoryview | Iterable[Insn],
    *,
    byteorder: ByteOrder = sys.byteorder,
    labels: Mapping[int, str] | None = None,
    maps: Mapping[int, str] = _NONE,
    kfuncs: Mapping[int, str] = _NONE,
    helpers: bool = True,
    sources: Mapping[int, str] = _NONE,
    numbered: bool = False,
) -> str:
    """Write a program as text, a line for each instruction.

    `labels` names slots; given even an empty mapping, every target of a jump or call gets a label,
    otherwise targets are numbers such as `goto +3`. `maps` names maps by fd, `kfuncs` kernel functions
    by BTF id; `helpers` says whether helpers are named. `sources` gives source lines by the slot they
    begin at, written as comments. `numbered` puts slot and opcode before each instruction, as the
    verifier does, and excludes labels.
    """
    insns = _insns(program, byteorder)
    if numbered and labels is not None:
        raise AssemblyError("numbered lines have no labels: give either labels or numbered=True")
    placed = {} if labels is None else _labels(insns, labels)
    names = Names(placed, maps, kfuncs, helper_text if helpers else _no_helper)
    margin = "" if labels is None else "    "
    return "\n".join(_lines(insns, names, sources, margin, numbered=numbered))


def text_at(insns: Sequence[Insn], index: int, names: Names | None = None) -> str:
    """Write the instruction at a slot; `names` holds what is known by name."""
    return _write(insns, index, names or Names(helper=helper_text))[0]


def _insns(program: object, byteorder: ByteOrder) -> list[Insn]:
    if isinstance(program, bytes | bytearray | memoryview):
        return decode(bytes(program), byteorder)
    given = list(program) if isinstance(program, Iterable) else [program]
    insns = [each for each in given if isinstance(each, Insn)]
    if len(insns) != len(given):
        raise AssemblyError(f"{program!r} is no program: give its bytes, or its instructions")
    return insns


@cache
def helper_text(helper_id: int) -> str:
    """Return a helper as the verifier prints it, `bpf_map_lookup_elem#1`, or "" for an unknown id."""
    from bpflab.abi.helpers import helper

    try:
        return f"bpf_{helper(helper_id).name.removeprefix('bpf_')}#{helper_id}"
    except UnknownHelperError:
        return ""


def _no_helper(_helper_id: int) -> str:
    return ""


def _write(insns: Sequence[Insn], index: int, names: Names) -> tuple[str, int]:
    """Write an instruction; also say how many slots it fills."""
    insn = insns[index]
    if insn.opcode == LD_IMM64 and index + 1 < len(insns) and insn.dst < REG_COUNT:
        text = wide.write(insn, insns[index + 1], index, names)
        if text:
            return text, 2
    writer = WRITERS.get(insn.opcode)
    text = writer(insn, index, names) if writer and insn.dst < REG_COUNT and insn.src < REG_COUNT else ""
    return text or f".insn 0x{insn.opcode:02x}, {insn.dst}, {insn.src}, {insn.off}, {insn.imm}", 1


def _lines(
    insns: Sequence[Insn], names: Names, sources: Mapping[int, str], margin: str, *, numbered: bool
) -> Iterator[str]:
    index, labels = 0, names.labels
    while index < len(insns):
        if index in sources:
            yield from (f"{margin}; {line}" for line in sources[index].splitlines())
        if index in labels:
            yield f"{quoted(labels[index])}:"
        text, slots = _write(insns, index, names)
        yield f"{index:4}: ({insns[index].opcode:02x}) {text}" if numbered else margin + text
        index += slots
    if index in labels:
        yield f"{quoted(labels[index])}:"


def _labels(insns: Sequence[Insn], given: Mapping[int, str]) -> dict[int, str]:
    """Name the targets of all jumps and calls that have a place for a label."""
    if len(set(given.values())) < len(given):
        raise AssemblyError("two slots have the same label: give each label once")
    places = {index for index in range(len(insns) + 1) if index == 0 or insns[index - 1].opcode != LD_IMM64}
    labels = {index: name for index, name in given.items() if index in places}
    taken = set(given.values())
    for index, prefix in sorted(_targets(insns)):
        if index in places and index not in labels:
            labels[index] = next(name for name in _candidates(prefix, index) if name not in taken)
    return labels


def _candidates(prefix: str, index: int) -> Iterator[str]:
    yield f"{prefix}{index}"
    yield from (f"{prefix}{index}_{again}" for again in count(2))


def _targets(insns: Sequence[Insn]) -> set[tuple[int, str]]:
    targets = set()
    for index, insn in enumerate(insns):
        skip = jump_distance(insn)
        if skip is not None:
            targets.add((index + 1 + skip, "L"))
        elif is_subprogram_reference(insn):
            targets.add((index + 1 + insn.imm, "sub_"))
    return targets
