"""From BTF types to a blob, in either byte order."""

from __future__ import annotations

import struct
from functools import singledispatch
from typing import TYPE_CHECKING, TypeAlias

from bpflab.abi.btf import HEADER_SIZE, KIND_FLAG, MAGIC, MAX_VLEN, VERSION
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.abi.layout import ByteOrder

Tail: TypeAlias = list[int | str]
"""Words behind a type's head; a string stands for its offset."""

_MASK32 = 0xFFFFFFFF


class StringTable:
    """Strings of a blob under construction: each once, old ones at their old offsets.

    `initial` is a string section to go on from; `start` is the offset of its first byte (the length of
    the base's strings in split BTF), `base` the strings that lie below it.
    """

    def __init__(self, initial: bytes = b"\0", *, start: int = 0, base: bytes = b"") -> None:
        self._data = bytearray(initial)
        self._start = start
        self._offsets: dict[bytes, int] = {}
        self._learn(initial, start)
        self._learn(base, 0)

    def _learn(self, strings: bytes, at: int) -> None:
        for string in strings.split(b"\0")[:-1]:
            self._offsets.setdefault(string, at)
            at += len(string) + 1

    def add(self, text: str) -> int:
        """Give the offset of a string, appending it if it is new."""
        raw = text.encode("utf-8", "surrogateescape")
        if not raw:
            return 0
        if raw not in self._offsets:
            self._offsets[raw] = self._start + len(self._data)
            self._data += raw + b"\0"
        return self._offsets[raw]

    @property
    def data(self) -> bytes:
        """The string section so far."""
        return bytes(self._data)


def encode(types: Iterable[t.BtfType], byteorder: ByteOrder, strings: StringTable | None = None) -> bytes:
    """Build a blob of types, the first of which gets id 1 (or the base's count, for split BTF).

    `strings` given, offsets of the strings it holds stay what they are, which line info relies on.
    Raises BtfError for a value that its field cannot hold.
    """
    table = strings or StringTable()
    words = [word for each in types for word in _words(each, table)]
    sign = "<" if byteorder == "little" else ">"
    body = struct.pack(f"{sign}{len(words)}I", *words)
    text = table.data
    header = struct.pack(f"{sign}HBBIIIII", MAGIC, VERSION, 0, HEADER_SIZE, 0, len(body), len(body), len(text))
    return header + body + text


def _words(each: t.BtfType, strings: StringTable) -> list[int]:
    third, tail = _body(each)
    vlen, flag = _vlen(each), _flag(each)
    words = [strings.add(each.name), (KIND_FLAG if flag else 0) | each.kind << 24 | vlen, third]
    words += [strings.add(word) if isinstance(word, str) else word for word in tail]
    if vlen > MAX_VLEN or any(not 0 <= word <= _MASK32 for word in words):
        raise BtfError(f"BTF: {each.kind.name} {each.name!r} holds a number that its field cannot.")
    return words


def _vlen(each: t.BtfType) -> int:
    match each:
        case t.Composite(members=items) | t.Enum(values=items):
            return len(items)
        case t.FuncProto(parameters=parameters):
            return len(parameters)
        case t.Datasec(variables=variables):
            return len(variables)
        case t.Func(linkage=linkage):
            return linkage
        case _:
            return 0


def _flag(each: t.BtfType) -> bool:
    match each:
        case t.Composite(members=members):
            return any(member.bit_size for member in members)
        case t.Enum(signed=flag) | t.Forward(union=flag) | t.TypeTag(attribute=flag) | t.DeclTag(attribute=flag):
            return flag
        case _:
            return False


@singledispatch
def _body(each: t.BtfType) -> tuple[int, Tail]:
    """Give the third word and the tail of a type."""
    if not isinstance(each, t.Forward):
        raise BtfError(f"BTF: a type of kind {each.kind.name} cannot be written.")
    return 0, []


@_body.register
def _(each: t.Int) -> tuple[int, Tail]:
    if each.bits > 0xFF or each.offset > 0xFF:
        raise BtfError(f"BTF: INT {each.name!r} has {each.bits} bits at {each.offset}; 255 is the most.")
    return each.size, [each.encoding << 24 | each.offset << 16 | each.bits]


@_body.register
def _(each: t.Float) -> tuple[int, Tail]:
    return each.size, []


@_body.register
def _(each: t.Reference) -> tuple[int, Tail]:
    return each.type_id, []


@_body.register
def _(each: t.Var) -> tuple[int, Tail]:
    return each.type_id, [each.linkage]


@_body.register
def _(each: t.DeclTag) -> tuple[int, Tail]:
    return each.type_id, [each.component & _MASK32]


@_body.register
def _(each: t.Array) -> tuple[int, Tail]:
    return 0, [each.type_id, each.index_type_id, each.length]


@_body.register
def _(each: t.Composite) -> tuple[int, Tail]:
    place = _packed_place if _flag(each) else _place
    return each.size, _flat((member.name, member.type_id, place(member)) for member in each.members)


def _place(member: t.Member) -> int:
    return member.bit_offset


def _packed_place(member: t.Member) -> int:
    if member.bit_offset > 0xFFFFFF:
        raise BtfError(f"BTF: field {member.name!r} lies past what a struct with bitfields can say.")
    return member.bit_size << 24 | member.bit_offset


@_body.register
def _(each: t.Enum) -> tuple[int, Tail]:
    return each.size, _flat((item.name, _checked(each, item.value, 32)) for item in each.values)


@_body.register
def _(each: t.Enum64) -> tuple[int, Tail]:
    values = ((item.name, _checked(each, item.value, 64)) for item in each.values)
    return each.size, _flat((name, value & _MASK32, value >> 32) for name, value in values)


def _checked(each: t.Enum, value: int, bits: int) -> int:
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if each.signed else (0, 1 << bits)
    if not low <= value < high:
        raise BtfError(f"BTF: {value} does not fit enum {each.name!r} of {bits} bits.")
    return value & ((1 << bits) - 1)


@_body.register
def _(each: t.FuncProto) -> tuple[int, Tail]:
    return each.return_id, _flat((parameter.name, parameter.type_id) for parameter in each.parameters)


@_body.register
def _(each: t.Datasec) -> tuple[int, Tail]:
    return each.size, _flat((var.type_id, var.offset, var.size) for var in each.variables)


def _flat(items: Iterable[tuple[int | str, ...]]) -> Tail:
    return [word for item in items for word in item]
