"""Source lines of a program's instructions, from the line info that it was loaded with."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bpflab.errors import BtfError

if TYPE_CHECKING:
    from typing import Self

    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.programs import Records

COLUMN_BITS = 10
"""`line_col` of struct bpf_line_info: the line number above, the column below (linux/bpf.h)."""


@dataclass(frozen=True, slots=True)
class Line:
    """The source of the instructions from slot `insn` on; `line` and `column` count from 1."""

    insn: int
    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{PurePosixPath(self.file).name}:{self.line}: {self.text.strip()}"


class LineTable:
    """The lines of a program in order of their first slot."""

    def __init__(self, lines: tuple[Line, ...] = ()) -> None:
        self.lines = lines
        self._slots = [line.insn for line in lines]

    @classmethod
    def read(cls, records: Records, btf: SimBtf | None, byteorder: ByteOrder) -> Self:
        """Read the records of PROG_LOAD; one whose strings are not in the BTF is left out."""
        if btf is None or not records.count:
            return cls()
        read = struct.Struct("<4I" if byteorder == "little" else ">4I").unpack_from
        found = []
        for number in range(records.count):
            insn, file, text, line_col = read(records.data, number * records.size)
            try:
                where = btf.types.string(file), btf.types.string(text)
            except BtfError:
                continue
            line, column = line_col >> COLUMN_BITS, line_col & (1 << COLUMN_BITS) - 1
            found.append(Line(insn, where[0], line, column, where[1]))
        return cls(tuple(found))

    def at(self, slot: int) -> Line | None:
        """Return the line that a slot belongs to, None before the first."""
        found = bisect_right(self._slots, slot)
        return self.lines[found - 1] if found else None
