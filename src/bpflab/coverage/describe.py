"""From a PROG_LOAD and the BTF that goes with it to what coverage knows of the program."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL, CallSource, InsnClass, WideSource
from bpflab.coverage.program import CoveredProgram, Function, Place
from bpflab.errors import BtfError
from bpflab.obj.btf import Btf
from bpflab.obj.btf_types import Func

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.asm.insn import Insn
    from bpflab.coverage.flow import Flow
    from bpflab.coverage.request import LoadAttr
    from bpflab.coverage.source_files import SourceFiles

COLUMN_BITS: Final = 10
"""`line_col` of struct bpf_line_info: the line number above, the column below (linux/bpf.h)."""
_LINE: Final = struct.Struct("=4I")
_FUNCTION: Final = struct.Struct("=2I")
_WIDE: Final = 2
"""Slots of a 64-bit immediate load."""
_JUMPS: Final = frozenset({InsnClass.JMP, InsnClass.JMP32})


def describe(attr: LoadAttr, flow: Flow, btf: bytes | None, files: SourceFiles) -> CoveredProgram:
    """Say what is known of a program; without BTF, nothing of its source."""
    types = Btf(btf) if btf else None
    places = tuple(_places(attr, types, files)) if types else ()
    return CoveredProgram(
        name=attr.name,
        digest=_digest(attr.name, flow.insns, places),
        slots=flow.slots,
        branches=flow.branches,
        functions=tuple(_functions(attr, types)) if types else (),
        places=places,
    )


def _places(attr: LoadAttr, types: Btf, files: SourceFiles) -> Iterator[tuple[int, Place]]:
    for record in attr.records("line_info"):
        slot, file, _, place = _LINE.unpack_from(record)
        try:
            name = types.string(file)
        except BtfError:
            continue
        yield slot, Place(files.find(name), place >> COLUMN_BITS, place & (1 << COLUMN_BITS) - 1)


def _functions(attr: LoadAttr, types: Btf) -> Iterator[Function]:
    for record in attr.records("func_info"):
        slot, type_id = _FUNCTION.unpack_from(record)
        try:
            yield Function(types.get(type_id, Func).name, slot)
        except BtfError:
            continue


def _digest(name: str, insns: tuple[Insn, ...], places: tuple[tuple[int, Place], ...]) -> str:
    """Hash the form of a program. What fitting it to a kernel changes is left out where its places tell it apart."""
    content = hashlib.sha256(name.encode() + b"\0")
    wide = -_WIDE
    for slot, insn in enumerate(insns):
        wide = slot if insn.is_wide else wide
        loose = bool(places) and insn.cls not in _JUMPS
        number = 0 if _foreign(insns[wide] if slot - wide < _WIDE else insn, loose=loose) else insn.imm
        content.update(repr((insn.opcode, insn.dst, insn.src, 0 if loose else insn.off, number)).encode())
    content.update(repr([(slot, place.line, place.column) for slot, place in places]).encode())
    return content.hexdigest()


def _foreign(insn: Insn, *, loose: bool) -> bool:
    """Tell whether an immediate may differ from load to load: a descriptor, a kernel's number, a fitted offset."""
    if insn.is_wide:
        return insn.src != WideSource.FUNC and (loose or insn.src != WideSource.IMM)
    return loose or (insn.opcode == CALL and insn.src == CallSource.KFUNC)
