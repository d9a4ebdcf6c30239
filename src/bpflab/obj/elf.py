"""The parts of an ELF object that a BPF program is made of, as values.

The only module that knows pyelftools; what it raises does not get out of here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Final

from bpflab.errors import ObjectError
from bpflab.obj.elf_bounds import check_bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import Section as ElfSection
    from elftools.elf.sections import Symbol as ElfSymbol

    from bpflab.abi.layout import ByteOrder

UNDEFINED: Final = 0
"""The section number of a symbol that another file, or the kernel, defines."""
_EXECUTABLE: Final = 4
_DATA_WITH_RELOCATIONS: Final = (".maps", ".BTF", ".struct_ops", ".struct_ops.link")


@dataclass(frozen=True, slots=True)
class Section:
    """A section: `data` is its content, empty for one without (`nobits`), of which `size` is the length."""

    index: int
    name: str
    data: bytes
    size: int
    executable: bool
    nobits: bool


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol: `section` is a section number (0: undefined), `value` a byte offset into it."""

    name: str
    section: int
    value: int
    size: int
    function: bool = False
    local: bool = False
    weak: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class ElfRelocation:
    """A relocation: `offset` is the byte in the section that it patches, `type` an R_BPF number."""

    offset: int
    type: int
    symbol: Symbol


@dataclass(frozen=True)
class Elf:
    """An object's sections by number, its symbols, and the relocations of each section by number."""

    byteorder: ByteOrder
    sections: Mapping[int, Section]
    symbols: tuple[Symbol, ...]
    relocations: Mapping[int, tuple[ElfRelocation, ...]] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> Mapping[str, Section]:
        """The first section of each name."""
        return {section.name: section for section in reversed(tuple(self.sections.values()))}

    @cached_property
    def symbols_in(self) -> Mapping[int, list[Symbol]]:
        """The symbols of each section number that has some."""
        found: dict[int, list[Symbol]] = {}
        for symbol in self.symbols:
            found.setdefault(symbol.section, []).append(symbol)
        return found

    def content(self, name: str) -> bytes | None:
        """Give a section's bytes, or None if there is no such section."""
        section = self.by_name.get(name)
        return section.data if section else None


def read_elf(data: bytes) -> Elf:
    """Read an object file; ObjectError if it is none, not for BPF, cut or malformed."""
    from elftools.elf.elffile import ELFFile

    check_bounds(data)
    try:
        return _convert(ELFFile(BytesIO(data)), data)
    except ObjectError:
        raise
    except Exception as problem:
        raise ObjectError(f"the ELF file is malformed: {str(problem) or type(problem).__name__}.") from problem


def _convert(elf: ELFFile, data: bytes) -> Elf:
    parts = list(elf.iter_sections())
    sections = {index: _section(index, part, data) for index, part in enumerate(parts)}
    symbols = [_symbol(each) for part in parts if part["sh_type"] == "SHT_SYMTAB" for each in part.iter_symbols()]
    relocations = {
        part["sh_info"]: _relocations(part, symbols)
        for part in parts
        if part["sh_type"] == "SHT_REL" and _is_linked(sections.get(part["sh_info"]))
    }
    byteorder: ByteOrder = "little" if elf.little_endian else "big"
    return Elf(byteorder, sections, tuple(symbols), relocations)


def _is_linked(section: Section | None) -> bool:
    """Say whether a section's relocations matter: those of DWARF and .BTF.ext, most of them, do not."""
    return section is not None and (section.executable or section.name in _DATA_WITH_RELOCATIONS)


def _section(index: int, part: ElfSection, data: bytes) -> Section:
    kind, start, size = part["sh_type"], part["sh_offset"], part["sh_size"]
    content = kind == "SHT_PROGBITS"
    return Section(
        index=index,
        name=part.name,
        data=data[start : start + size] if content else b"",
        size=size,
        executable=content and bool(part["sh_flags"] & _EXECUTABLE),
        nobits=kind == "SHT_NOBITS",
    )


def _symbol(each: ElfSymbol) -> Symbol:
    info, place = each["st_info"], each["st_shndx"]
    return Symbol(
        name=each.name,
        section=place if isinstance(place, int) else UNDEFINED,
        value=each["st_value"],
        size=each["st_size"],
        function=info["type"] == "STT_FUNC",
        local=info["bind"] == "STB_LOCAL",
        weak=info["bind"] == "STB_WEAK",
        hidden=each["st_other"]["visibility"] in {"STV_HIDDEN", "STV_INTERNAL"},
    )


def _relocations(part: ElfSection, symbols: list[Symbol]) -> tuple[ElfRelocation, ...]:
    return tuple(
        ElfRelocation(each["r_offset"], each["r_info_type"], symbols[each["r_info_sym"]])
        for each in part.iter_relocations()
    )
