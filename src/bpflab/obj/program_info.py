"""Cut .BTF.ext to one linked program: function and line records with offsets into it, and lines as values."""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from bpflab.abi.core import CoreKind
from bpflab.abi.insn import INSN_SIZE
from bpflab.errors import ObjectError
from bpflab.obj.btf_ext import EMPTY, BtfExt, Record
from bpflab.obj.relocations import CoreRelocation
from bpflab.obj.spec import FunctionSpec, SourceLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpflab.obj.btf import Btf
    from bpflab.obj.functions import Function
    from bpflab.obj.link import Linked

_COLUMN_BITS = 10


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """What a ProgramSpec holds of debug information."""

    func_info: bytes
    line_info: bytes
    functions: tuple[FunctionSpec, ...]
    lines: tuple[SourceLine, ...]


class InfoCutter:
    """Cuts the records of one object to its programs."""

    def __init__(self, btf: Btf | None, ext: BtfExt = EMPTY) -> None:
        self._btf = btf
        self._functions = _sorted(ext.functions)
        self._lines = _sorted(ext.lines)
        self._core = _sorted(ext.core)

    def cut(self, linked: Linked) -> ProgramInfo:
        """Give the records of a program and its subprograms.

        The kernel wants both kinds for every function or none: where a function has no record, the bytes
        for PROG_LOAD stay empty.
        """
        functions = self._cut(self._functions, linked)
        lines = self._cut(self._lines, linked)
        complete = self._btf is not None and _covers(functions, linked) and _covers(lines, linked)
        types = {record[0]: record[1] for record in functions}
        return ProgramInfo(
            func_info=self._packed(functions) if complete else b"",
            line_info=self._packed(lines) if complete else b"",
            functions=tuple(FunctionSpec(each.name, at, types.get(at, 0)) for each, at in linked.starts.items()),
            lines=tuple(self._line(record) for record in lines),
        )

    def core(self, linked: Linked) -> tuple[CoreRelocation, ...]:
        """Give the CO-RE relocations of a program and its subprograms."""
        return tuple(self._core_relocation(record) for record in self._cut(self._core, linked))

    def _core_relocation(self, record: Record) -> CoreRelocation:
        insn, type_id, access_off, kind = record
        if kind not in set(CoreKind):
            raise ObjectError(f"a CO-RE relocation is of kind {kind}, which this library does not know.")
        return CoreRelocation(insn, CoreKind(kind), type_id, self._btf.string(access_off) if self._btf else "")

    def _cut(self, records: Mapping[str, list[Record]], linked: Linked) -> tuple[Record, ...]:
        parts = (_of_function(records.get(each.section_name, []), each, at) for each, at in linked.starts.items())
        return tuple(chain.from_iterable(parts))

    def _packed(self, records: Iterable[Record]) -> bytes:
        sign = "<" if self._btf is None or self._btf.byteorder == "little" else ">"
        return b"".join(struct.pack(f"{sign}{len(record)}I", *record) for record in records)

    def _line(self, record: Record) -> SourceLine:
        insn, file_off, text_off, place = record
        file, text = (self._btf.string(file_off), self._btf.string(text_off)) if self._btf else ("", "")
        return SourceLine(insn, file, place >> _COLUMN_BITS, place & ((1 << _COLUMN_BITS) - 1), text)


def _sorted(records: Mapping[str, tuple[Record, ...]]) -> dict[str, list[Record]]:
    return {section: sorted(found) for section, found in records.items()}


def _of_function(records: list[Record], function: Function, at: int) -> Iterable[Record]:
    """Give a function's records, with slots of the program it was laid into at slot `at`."""
    first = bisect_left(records, (function.offset,))
    last = bisect_left(records, (function.offset + function.size,))
    return (((each[0] - function.offset) // INSN_SIZE + at, *each[1:]) for each in records[first:last])


def _covers(records: Iterable[Record], linked: Linked) -> bool:
    return set(linked.starts.values()) <= {record[0] for record in records}
