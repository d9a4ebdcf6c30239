"""Check an ELF file's claims about itself before a parser follows them.

Every offset, size and count in the headers is held against the length of the file, so that reading
it takes time and memory in proportion to that length, whatever the file says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.elf import EM_BPF
from bpflab.errors import ObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER_SIZE: Final = 64
_SECTION_SIZE: Final = 64
_SHT_NULL, _SHT_SYMTAB, _SHT_STRTAB, _SHT_NOBITS, _SHT_REL = 0, 2, 3, 8, 9
_WITHOUT_CONTENT: Final = frozenset({_SHT_NULL, _SHT_NOBITS})
_ENTRY_SIZES: Final = {_SHT_SYMTAB: 24, _SHT_REL: 16}
_ET_REL: Final = 1
_NAME_LIMIT: Final = 4096
NOBITS_LIMIT: Final = 64 << 20
"""Most bytes the sections without content (.bss) may claim: the file's length does not bound them."""


@dataclass(frozen=True, slots=True)
class _Header:
    """What matters of a section header: type, place, and the size of the entries of a table."""

    index: int
    kind: int
    offset: int
    size: int
    entry: int


def check_bounds(data: bytes) -> None:
    """Refuse data that is no 64-bit BPF object file, or whose parts do not lie within it (ObjectError)."""
    sign = _check_identity(data)
    _check_header(data, sign)
    headers = list(_section_headers(data, sign))
    for header in headers:
        _check_extent(data, header)
    _check_total(data, headers)
    for header in headers:
        _check_entries(data, header)


def _check_identity(data: bytes) -> str:
    if not data:
        raise ObjectError("the file is empty; give an object that clang -target bpf has made.")
    if data[:4] != b"\x7fELF":
        raise ObjectError(f"this is no ELF file: it starts with {data[:4]!r}. Give an object from clang -target bpf.")
    if len(data) < _HEADER_SIZE:
        raise ObjectError(f"the file is cut: it has {len(data)} bytes, and an ELF header takes {_HEADER_SIZE}.")
    if data[4] != 2 or data[5] not in {1, 2}:
        raise ObjectError("this is not a 64-bit ELF file; BPF objects are. Compile with clang -target bpf.")
    return "<" if data[5] == 1 else ">"


def _check_header(data: bytes, sign: str) -> None:
    kind, machine = struct.unpack_from(f"{sign}HH", data, 16)
    if machine not in {0, EM_BPF}:
        raise ObjectError(f"this is an object for {_machine(machine)}, not for BPF. Compile with clang -target bpf.")
    if kind != _ET_REL:
        raise ObjectError(f"this ELF file is of type {kind}, not a relocatable object. Compile with clang -c.")


def _machine(number: int) -> str:
    from elftools.elf.enums import ENUM_E_MACHINE

    names = [name for name, value in ENUM_E_MACHINE.items() if value == number]
    return names[0].removeprefix("EM_") if names else f"machine {number}"


def _section_headers(data: bytes, sign: str) -> Iterator[_Header]:
    (start,) = struct.unpack_from(f"{sign}Q", data, 40)
    entry, count, names = struct.unpack_from(f"{sign}HHH", data, 58)
    if not count or entry != _SECTION_SIZE or names >= count:
        raise ObjectError(f"the ELF header is malformed: {count} sections of {entry} bytes, names in section {names}.")
    if start + count * entry > len(data):
        raise ObjectError(
            f"the file is cut or malformed: it has {len(data)} bytes, "
            f"and its section headers end at byte {start + count * entry}."
        )
    for index in range(count):
        words = struct.unpack_from(f"{sign}IIQQQQIIQQ", data, start + index * entry)
        yield _Header(index, kind=words[1], offset=words[4], size=words[5], entry=words[9])


def _check_extent(data: bytes, header: _Header) -> None:
    end = header.offset + header.size
    if header.kind not in _WITHOUT_CONTENT and end > len(data):
        raise ObjectError(f"the file is cut or malformed: section {header.index} ends at byte {end} of {len(data)}.")


def _check_total(data: bytes, headers: list[_Header]) -> None:
    content = sum(header.size for header in headers if header.kind not in _WITHOUT_CONTENT)
    zeros = sum(header.size for header in headers if header.kind == _SHT_NOBITS)
    if content > len(data):
        raise ObjectError("the file is malformed: its sections overlap.")
    if zeros > NOBITS_LIMIT:
        raise ObjectError(f"its variables without a value (.bss) take {zeros} bytes; {NOBITS_LIMIT} are the most.")


def _check_entries(data: bytes, header: _Header) -> None:
    end, expected = header.offset + header.size, _ENTRY_SIZES.get(header.kind)
    if expected and (header.entry != expected or header.size % expected):
        raise ObjectError(f"section {header.index} is malformed: its entries do not take {expected} bytes each.")
    if header.kind == _SHT_STRTAB and max(map(len, data[header.offset : end].split(b"\0"))) > _NAME_LIMIT:
        raise ObjectError(f"section {header.index} is malformed: it holds a name of more than {_NAME_LIMIT} bytes.")
