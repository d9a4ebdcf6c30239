"""Put the variables of an object's BTF where the linker of the ELF file has them.

A compiler leaves offsets of global variables to relocations, and sizes of sections at 0; the kernel wants
both, and variables in the order of their offsets (kernel/bpf/btf.c, btf_datasec_check_meta).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bpflab.abi.btf import FuncLinkage, VarLinkage
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.btf_encode import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.obj.elf import Elf, ElfRelocation


def object_btf(elf: Elf) -> Btf | None:
    """Read an object's BTF with its variables in their places; None if the object has none."""
    section = elf.by_name.get(".BTF")
    if section is None or not section.data:
        return None
    raw = Btf(_relocated(section.data, elf, elf.relocations.get(section.index, ())))
    hidden = {symbol.name for symbol in elf.symbols if symbol.hidden}
    types = (_placed(raw[type_id], elf, hidden) for type_id in raw)
    return Btf(encode(types, raw.byteorder, raw.strings()))


def _relocated(data: bytes, elf: Elf, relocations: Iterable[ElfRelocation]) -> bytes:
    """Add to each word what its symbol's place is: the words themselves hold the rest."""
    words = bytearray(data)
    for each in relocations:
        if each.offset + 4 > len(words):
            raise BtfError(f".BTF: a relocation patches byte {each.offset} of {len(words)}.")
        place = slice(each.offset, each.offset + 4)
        value = int.from_bytes(words[place], elf.byteorder) + each.symbol.value
        words[place] = (value & 0xFFFFFFFF).to_bytes(4, elf.byteorder)
    return bytes(words)


def _placed(each: t.BtfType, elf: Elf, hidden: set[str]) -> t.BtfType:
    match each:
        case t.Datasec():
            return _placed_section(each, elf)
        case t.Func(linkage=FuncLinkage.GLOBAL) if each.name in hidden:
            return replace(each, linkage=FuncLinkage.STATIC)
        case t.Var(linkage=VarLinkage.GLOBAL) if each.name in hidden:
            return replace(each, linkage=VarLinkage.STATIC)
        case _:
            return each


def _placed_section(each: t.Datasec, elf: Elf) -> t.Datasec:
    section = elf.by_name.get(each.name)
    variables = tuple(sorted(each.variables, key=lambda variable: variable.offset))
    return replace(each, size=section.size if section else each.size, variables=variables)
