"""A blob of BTF as a table: where each type starts and which bear a name, nothing decoded.

Built in one pass over the type section's words, so that the running kernel's BTF (some 130,000
types) is indexed in well under a tenth of a second, and a type costs a Python object only when asked.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.btf import FIXED_WORDS, HEADER_SIZE, ITEM_WORDS, MAGIC, TYPE_WORDS, VERSION, BtfKind
from bpflab.errors import BtfError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.layout import ByteOrder

_FIXED = [TYPE_WORDS + FIXED_WORDS.get(BtfKind(kind), 0) for kind in range(len(BtfKind))]
_ITEM = [ITEM_WORDS.get(BtfKind(kind), 0) for kind in range(len(BtfKind))]


@dataclass(slots=True)
class BtfTable:
    """The sections of a blob, and the word where each of its types starts.

    `words` is the type section in host order, `starts[i]` the index into it of the i-th own type,
    `strings` the string section. `order` are the own types in the order of their names' offsets, once it is known.
    """

    byteorder: ByteOrder
    words: array[int]
    strings: bytes
    starts: array[int]
    order: array[int] | None = None

    def head(self, index: int) -> tuple[int, int, int]:
        """Read name_off, info, and size or type of the own type `index`."""
        start = self.starts[index]
        return self.words[start], self.words[start + 1], self.words[start + 2]

    def tail(self, index: int) -> array[int]:
        """Read the words behind `struct btf_type` of the own type `index`."""
        end = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.words)
        return self.words[self.starts[index] + TYPE_WORDS : end]

    def named(self, offset: int) -> Iterator[int]:
        """Find the own types whose name is at an offset of the strings."""
        if self.order is None:
            self.order = name_order(self)
        words, starts, order = self.words, self.starts, self.order
        at = bisect_left(order, offset, key=lambda index: words[starts[index]])
        while at < len(order) and words[starts[order[at]]] == offset:
            yield order[at]
            at += 1

    def kind(self, index: int) -> BtfKind:
        """Read the kind of the own type `index`."""
        return BtfKind(self.words[self.starts[index] + 1] >> 24 & 0x1F)


def read_table(data: bytes, *, split: bool = False) -> BtfTable:
    """Check a blob and find its types; `split` for one that continues another's ids and strings.

    Raises BtfError where the header, a section or a type does not fit the data.
    """
    byteorder, words, strings = sections(data)
    if strings and strings[-1:] != b"\0":
        raise BtfError("BTF: the string section does not end with a zero byte; the data is cut or overwritten.")
    if not split and strings[:1] != b"\0":
        raise BtfError("BTF: the string section does not start with an empty string.")
    return BtfTable(byteorder, words, strings, _starts(words))


def sections(data: bytes) -> tuple[ByteOrder, array[int], bytes]:
    """Return the byte order of a blob, the words of its types in host order, and its strings."""
    byteorder = _byteorder(data)
    types, strings = _sections(data, byteorder)
    return byteorder, _words(types, byteorder), strings


def name_order(table: BtfTable) -> array[int]:
    """Sort the own types by the offset of their names; those of one name stay in their order."""
    words = table.words
    names = [words[start] for start in table.starts]
    return array("I", sorted(range(len(names)), key=names.__getitem__))


def _byteorder(data: bytes) -> ByteOrder:
    if len(data) < HEADER_SIZE:
        raise BtfError(f"BTF: {len(data)} bytes are given, and the header alone takes {HEADER_SIZE}.")
    for byteorder in ("little", "big"):
        if int.from_bytes(data[:2], byteorder) == MAGIC:
            return byteorder
    raise BtfError(f"BTF: data starts with {data[:2].hex()}, not with the magic number {MAGIC:#06x}.")


def _sections(data: bytes, byteorder: ByteOrder) -> tuple[memoryview, bytes]:
    sign = "<" if byteorder == "little" else ">"
    version, _, size, *places = struct.unpack_from(f"{sign}BB5I", data, 2)
    if version != VERSION:
        raise BtfError(f"BTF: version {version} is given; only version {VERSION} is known.")
    if not HEADER_SIZE <= size <= len(data):
        raise BtfError(f"BTF: a header of {size} bytes does not fit data of {len(data)} bytes.")
    type_off, type_len, str_off, str_len = places
    length = len(data) - size
    if type_off % 4 or type_len % 4 or type_off + type_len > length or str_off + str_len > length:
        raise BtfError(f"BTF: the type and string sections do not lie within the {len(data)} bytes given.")
    types, strings = size + type_off, size + str_off
    return memoryview(data)[types : types + type_len], data[strings : strings + str_len]


def _words(types: memoryview, byteorder: ByteOrder) -> array[int]:
    words = array("I")
    words.frombytes(types)
    if byteorder != sys.byteorder:
        words.byteswap()
    return words


def _starts(words: array[int]) -> array[int]:
    starts = array("I")
    append, at, end = starts.append, 0, len(words)
    try:
        while at < end:
            append(at)
            info = words[at + 1]
            kind = info >> 24 & 0x1F
            at += _FIXED[kind] + (info & 0xFFFF) * _ITEM[kind]
    except IndexError:
        raise BtfError(f"BTF: type {len(starts)} is cut, or of a kind this library does not know.") from None
    if at != end:
        raise BtfError(f"BTF: type {len(starts)} runs past the end of the type section.")
    return starts


def flavour_offsets(strings: bytes, name: bytes) -> Iterator[int]:
    """Find every offset in a string section at which a string starts with `name` and `___`."""
    wanted = b"\0" + name + b"___"
    at = strings.find(wanted)
    while at >= 0:
        yield at + 1
        at = strings.find(wanted, at + 1)


def name_offsets(strings: bytes, name: bytes) -> Iterator[int]:
    """Find every offset in a string section at which `name` can be read.

    A string may be shared as the tail of a longer one, so this is more than a table of whole strings.
    """
    wanted = name + b"\0"
    at = strings.find(wanted)
    while at >= 0:
        yield at
        at = strings.find(wanted, at + 1)
