"""The section .BTF.ext: records by section, and malformed ones refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from bpflab.errors import BtfError
from bpflab.obj.btf import Btf
from bpflab.obj.btf_ext import BtfExt, read_btf_ext
from bpflab.obj.btf_types import Int

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder

NAME = 1
"""Offset of the only string but the empty one."""


def btf(byteorder: ByteOrder = "little") -> Btf:
    return Btf.build([Int(name="xdp", size=4, bits=32)], byteorder)


def table(step: int, *sections: tuple[int, list[tuple[int, ...]]]) -> list[int]:
    """Lay out one table: the size of a record, then each section's name offset, count and records."""
    words = [step]
    for name, records in sections:
        words += [name, len(records), *(word for record in records for word in record)]
    return words


def blob(tables: list[list[int]], byteorder: ByteOrder = "little", version: int = 1) -> bytes:
    sign = "<" if byteorder == "little" else ">"
    header = 8 + 8 * len(tables)
    places, body = [], b""
    for words in tables:
        raw = struct.pack(f"{sign}{len(words)}I", *words)
        places += [len(body), len(raw)]
        body += raw
    return struct.pack(f"{sign}HBBI{len(places)}I", 0xEB9F, version, 0, header, *places) + body


FUNCTIONS = table(8, (NAME, [(0, 5), (64, 6)]))
LINES = table(16, (NAME, [(0, 1, 1, 1025)]))
CORE = table(16, (NAME, [(8, 5, 1, 0)]))


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_records_are_given_by_section(byteorder: ByteOrder) -> None:
    assert read_btf_ext(blob([FUNCTIONS, LINES, CORE], byteorder), btf(byteorder)) == BtfExt(
        functions={"xdp": ((0, 5), (64, 6))}, lines={"xdp": ((0, 1, 1, 1025),)}, core={"xdp": ((8, 5, 1, 0),)}
    )


def test_the_older_header_has_no_core_relocations() -> None:
    assert read_btf_ext(blob([FUNCTIONS, LINES]), btf()).core == {}


def test_records_of_one_section_may_come_in_parts() -> None:
    parts = table(8, (NAME, [(0, 5)]), (NAME, [(64, 6)]))
    assert read_btf_ext(blob([parts, LINES]), btf()).functions == {"xdp": ((0, 5), (64, 6))}


def test_records_may_be_longer_than_what_is_known() -> None:
    longer = table(12, (NAME, [(0, 5, 99), (64, 6, 99)]))
    assert read_btf_ext(blob([longer, LINES]), btf()).functions == {"xdp": ((0, 5), (64, 6))}


def test_a_table_may_be_empty() -> None:
    assert read_btf_ext(blob([[], LINES]), btf()).functions == {}
    assert read_btf_ext(blob([[8], LINES]), btf()).functions == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no header"),
        (blob([FUNCTIONS, LINES], "big"), "no header with the magic number and byte order"),
        (blob([FUNCTIONS, LINES], version=2), "version 2"),
        (blob([FUNCTIONS, LINES])[:-4], "does not lie within the section"),
        (blob([table(4, (NAME, [(0,)])), LINES]), "records of 4 bytes are given, and 8 are needed"),
        (blob([[8, NAME], LINES]), "a table of records is cut"),
        (blob([[8, NAME, 2, 0, 5], LINES]), "2 records of 8 bytes do not fit their table"),
        (blob([[8, NAME, 0xFFFFFFFF], LINES]), "4294967295 records of 8 bytes do not fit"),
        (blob([table(8, (99, [])), LINES]), "string offset 99 lies past the strings"),
    ],
)
def test_what_is_malformed_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(BtfError, match=message):
        read_btf_ext(data, btf())
