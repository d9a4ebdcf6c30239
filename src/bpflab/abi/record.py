"""The record of a tracepoint: its fields, and the bytes they stand in.

Layouts are read from the format description of an event (tracefs, `events/*/*/format`; include/trace/stages) or
made from names and C types. A `__data_loc` field holds where its data lies behind the record: length << 16 | offset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.arguments import near_names
from bpflab.errors import InputError

if TYPE_CHECKING:
    from typing import SupportsInt

    from bpflab.abi.layout import ByteOrder

    RecordValue = SupportsInt | str | bytes | Sequence[SupportsInt]

COMMON: Final = 8
"""The first bytes of a record; programs may not read them."""
LARGEST: Final = 8192
"""A record is no longer (PERF_MAX_TRACE_SIZE, linux/perf_event.h)."""

_LINE: Final = re.compile(
    r"field:(?P<declared>[^;]+);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);(\s*signed:(?P<signed>\d);)?"
)
_DECLARED: Final = re.compile(r"^(?P<type>.*?)(?P<name>\w+)\s*(\[(?P<count>[^\]]*)\])?$")
_TYPES: Final = {
    **{f"{sign}{bits}": (bits // 8, sign == "s") for sign in "us" for bits in (8, 16, 32, 64)},
    "char": (1, False),
    "short": (2, True),
    "int": (4, True),
    "long": (8, True),
    "unsigned short": (2, False),
    "unsigned int": (4, False),
    "unsigned long": (8, False),
    "ptr": (8, False),
    "bool": (1, False),
}
_DYNAMIC: Final = 4


@dataclass(frozen=True, slots=True)
class RecordField:
    """A field: `size` bytes of one element, `count` elements or 0; `dynamic` ones have their data behind the record."""

    name: str
    offset: int
    size: int
    count: int = 0
    signed: bool = False
    dynamic: bool = False

    @property
    def end(self) -> int:
        """The offset of the first byte after it."""
        return self.offset + self.size * max(self.count, 1)


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """The fields of a record by name, the first eight bytes among them where they are known."""

    name: str
    fields: tuple[RecordField, ...]

    @property
    def size(self) -> int:
        """How many bytes the fields take, to whole words."""
        return -(-max((field.end for field in self.fields), default=COMMON) // 8) * 8

    def field(self, name: str) -> RecordField:
        """Return the field of a name; InputError with near ones."""
        for field in self.fields:
            if field.name == name:
                return field
        raise InputError(f"The record of {self.name} has no field {name!r}{near_names(name, self.names)}")

    @property
    def names(self) -> list[str]:
        """The names of the fields in order."""
        return [field.name for field in self.fields]

    def pack(self, values: Mapping[str, RecordValue], order: ByteOrder) -> bytes:
        """Return the record's bytes with the data of its dynamic fields behind; what is not given is 0."""
        fixed, behind = bytearray(self.size), bytearray()
        for name, value in values.items():
            field = self.field(name)
            if field.dynamic:
                data = _content(field, value, order, limit=LARGEST)
                place = len(data) << 16 | (self.size + len(behind))
                behind += data
                fixed[field.offset : field.offset + _DYNAMIC] = place.to_bytes(_DYNAMIC, order)
            else:
                room = field.end - field.offset
                fixed[field.offset : field.end] = _content(field, value, order, limit=room).ljust(room, b"\0")
        return bytes(fixed + behind)

    def unpack(self, name: str, data: bytes, order: ByteOrder) -> int | bytes | list[int]:
        """Read a field out of a record: a number, numbers, or the bytes of one of characters."""
        field = self.field(name)
        if field.dynamic:
            place = int.from_bytes(data[field.offset : field.offset + _DYNAMIC], order)
            return data[place & 0xFFFF :][: place >> 16]
        raw = data[field.offset : field.end]
        if field.count and field.size == 1:
            return raw
        items = [
            int.from_bytes(raw[at : at + field.size], order, signed=field.signed)
            for at in range(0, len(raw), field.size)
        ]
        return items if field.count else items[0]


def parse_format(text: str) -> RecordLayout:
    """Read the format description of an event; InputError for a text without fields."""
    fields = tuple(_described(match) for match in _LINE.finditer(text))
    if not fields:
        raise InputError(
            "The text describes no field of an event; expected lines like 'field:int pid; offset:8; size:4;'."
        )
    found = re.search(r"^name:\s*(\S+)", text, re.MULTILINE)
    return RecordLayout(found[1] if found else "the event", fields)


def declared_layout(types: Mapping[str, str], name: str = "the event") -> RecordLayout:
    """Lay fields out one behind the other after the eight bytes that all records begin with, aligned as C does.

    Types are `u8` to `s64`, C's own such as `unsigned int`, `ptr`, with `[n]` behind for arrays, and `__data_loc`
    for data that stands behind the record.
    """
    fields, position = [], COMMON
    for each, written in types.items():
        field = _typed(each, written, position)
        fields.append(field)
        position = field.end
    return RecordLayout(name, tuple(fields))


def _described(match: re.Match[str]) -> RecordField:
    declared = _DECLARED.match(match["declared"].strip())
    if declared is None:
        raise InputError(f"{match['declared']!r} in a format description; expected a type and a name.")
    offset, size, signed = int(match["offset"]), int(match["size"]), match["signed"] == "1"
    if "__data_loc" in declared["type"]:
        return RecordField(declared["name"], offset, 4, dynamic=True)
    if declared["count"] is None:
        return RecordField(declared["name"], offset, size, signed=signed)
    count = int(declared["count"]) if declared["count"].isdigit() and int(declared["count"]) else 0
    element = size // count if count and size % count == 0 else 1
    return RecordField(declared["name"], offset, element, size // element, signed=signed)


def _typed(name: str, written: str, position: int) -> RecordField:
    found = re.fullmatch(r"(?P<type>.*?)\s*(\[(?P<count>\d+)\])?", written.strip())
    kind = found["type"] if found else ""
    dynamic = kind.startswith("__data_loc")
    if not dynamic and kind not in _TYPES:
        raise InputError(
            f"{name}: {written!r} is no type of a record's field{near_names(kind, [*_TYPES, '__data_loc'])}"
        )
    size, signed = (_DYNAMIC, False) if dynamic else _TYPES[kind]
    count = int(found["count"] or 0) if found and not dynamic else 0
    return RecordField(name, position + -position % size, size, count, signed=signed, dynamic=dynamic)


def _content(field: RecordField, value: RecordValue, order: ByteOrder, *, limit: int) -> bytes:
    """Return the bytes of a value; texts end with a zero byte where there is room."""
    if isinstance(value, (str, bytes, bytearray)) and not field.dynamic and not (field.count and field.size == 1):
        raise InputError(f"{field.name}={value!r}; expected {'numbers' if field.count else 'a number'}.")
    size = 1 if field.dynamic and isinstance(value, (str, bytes)) else field.size
    if isinstance(value, str):
        data = (value.encode() + b"\0")[: limit if field.dynamic or len(value.encode()) == limit else None]
    elif isinstance(value, (bytes, bytearray)):
        data = bytes(value)
    elif isinstance(value, Sequence):
        data = b"".join(_number(int(item), size, order) for item in value)
    else:
        data = _number(int(value), size, order)
    if len(data) > limit:
        raise InputError(f"{field.name}={value!r} takes {len(data)} bytes; there are {limit}.")
    return data


def _number(value: int, size: int, order: ByteOrder) -> bytes:
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, order)
