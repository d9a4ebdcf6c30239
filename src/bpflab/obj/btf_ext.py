"""The section .BTF.ext: what each instruction's function, source line and CO-RE relocation is.

Layout from Documentation/bpf/btf.rst: a header, then for each kind of record the size of one, and for each
ELF section the offset of its name, a count, and that many records, whose instruction offsets are bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import MAGIC, VERSION
from bpflab.errors import BtfError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpflab.abi.layout import ByteOrder
    from bpflab.obj.btf import Btf

FUNC_RECORD: Final = 8
LINE_RECORD: Final = 16
CORE_RECORD: Final = 16
_SHORT_HEADER: Final = 24
_FULL_HEADER: Final = 32

Record = tuple[int, ...]
"""The words of a record, the first of which is the byte offset of its instruction in the section."""


@dataclass(frozen=True, slots=True)
class BtfExt:
    """Records by the name of the section they are about, in the order of the file.

    `functions`: (offset, type id). `lines`: (offset, file name, line text, line << 10 | column), the
    middle two as string offsets. `core`: (offset, type id, access string, kind).
    """

    functions: Mapping[str, tuple[Record, ...]]
    lines: Mapping[str, tuple[Record, ...]]
    core: Mapping[str, tuple[Record, ...]]


EMPTY: Final = BtfExt({}, {}, {})


def read_btf_ext(data: bytes, btf: Btf) -> BtfExt:
    """Read the section; `btf` holds its strings. BtfError where it is malformed."""
    sign = _sign(data, btf.byteorder)
    version, _, header = struct.unpack_from(f"{sign}BBI", data, 2)
    if version != VERSION or not _SHORT_HEADER <= header <= len(data):
        raise BtfError(f".BTF.ext: version {version} with a header of {header} bytes is not known.")
    places = struct.unpack_from(f"{sign}{6 if header >= _FULL_HEADER else 4}I", data, 8)
    sizes = (FUNC_RECORD, LINE_RECORD, CORE_RECORD)
    parts = [
        _Part(data, header + offset, header + offset + length, size, sign)
        for offset, length, size in zip(places[::2], places[1::2], sizes, strict=False)
    ]
    return BtfExt(*(part.read(btf) for part in parts), *({} for _ in range(3 - len(parts))))


def _sign(data: bytes, byteorder: ByteOrder) -> str:
    if len(data) < _SHORT_HEADER or int.from_bytes(data[:2], byteorder) != MAGIC:
        raise BtfError(".BTF.ext: it has no header with the magic number and byte order of .BTF.")
    return "<" if byteorder == "little" else ">"


@dataclass(frozen=True, slots=True)
class _Part:
    """One kind of record: the bytes from `start` to `end`, of which each record needs `size`."""

    data: bytes
    start: int
    end: int
    size: int
    sign: str

    def read(self, btf: Btf) -> dict[str, tuple[Record, ...]]:
        if self.start == self.end:
            return {}
        if self.start + 4 > self.end or self.end > len(self.data):
            raise BtfError(".BTF.ext: a table of records does not lie within the section.")
        (step,) = struct.unpack_from(f"{self.sign}I", self.data, self.start)
        if step < self.size or step % 4:
            raise BtfError(f".BTF.ext: records of {step} bytes are given, and {self.size} are needed.")
        found: dict[str, list[Record]] = {}
        for name_off, records in self._sections(step):
            found.setdefault(btf.string(name_off), []).extend(records)
        return {name: tuple(records) for name, records in found.items()}

    def _sections(self, step: int) -> Iterator[tuple[int, Iterator[Record]]]:
        at = self.start + 4
        while at < self.end:
            if at + 8 > self.end:
                raise BtfError(".BTF.ext: a table of records is cut.")
            name_off, count = struct.unpack_from(f"{self.sign}II", self.data, at)
            at += 8
            if at + count * step > self.end:
                raise BtfError(f".BTF.ext: {count} records of {step} bytes do not fit their table.")
            yield name_off, map(self._record, range(at, at + count * step, step))
            at += count * step

    def _record(self, at: int) -> Record:
        return struct.unpack_from(f"{self.sign}{self.size // 4}I", self.data, at)
