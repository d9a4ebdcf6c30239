"""Flat structs of the kernel's interface, described by a line of text and packed from names.

A layout is written as `name:type` words, types as in `struct` (`I` u32, `i` s32, `H` u16, `B` u8,
`Q` u64, `16s` text of 16 bytes, `8x` bytes of padding). Members of a union share a place and are written
`name|other:type`. Fields are aligned as C does it. Byte order is the host's unless given.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ByteOrder = Literal["little", "big"]
"""The byte order of a machine; the one name for it in all of bpflab."""
Value = int | bytes


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its names (more than one in a union), its offset in bytes and its struct format."""

    names: tuple[str, ...]
    offset: int
    format: str

    @property
    def size(self) -> int:
        """Size in bytes."""
        return struct.calcsize("=" + self.format)

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]


class Layout:
    """A named flat struct: its fields, and its size in bytes up to the end of the last field."""

    def __init__(self, name: str, text: str, byteorder: ByteOrder = sys.byteorder) -> None:
        self.name = name
        self.prefix = "<" if byteorder == "little" else ">"
        self._text = text

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields in order of their offsets."""
        return tuple(_place(self._text))

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Every field under each of its names."""
        return {name: field for field in self.fields for name in field.names}

    @cached_property
    def size(self) -> int:
        """Bytes up to the end of the last field, without trailing padding."""
        last = self.fields[-1]
        return last.offset + last.size

    @cached_property
    def _whole(self) -> tuple[tuple[str, ...], struct.Struct]:
        """The first names of all fields, and what unpacks them in one call."""
        text, end = self.prefix, 0
        for field in self.fields:
            text += f"{field.offset - end}x{field.format}"
            end = field.offset + field.size
        return tuple(field.name for field in self.fields), struct.Struct(text)

    def field(self, name: str) -> Field:
        """Return the field of that name; ArgumentError with the known names when there is none."""
        try:
            return self.by_name[name]
        except KeyError:
            known = ", ".join(self.by_name)
            raise ArgumentError(f"{self.name} has no field {name!r}; its fields are {known}.") from None

    def pack(self, values: Mapping[str, Value]) -> bytearray:
        """Return the struct's bytes with the given fields set and every other byte zero."""
        buffer = bytearray(self.size)
        for name, value in values.items():
            self.set(buffer, name, value)
        return buffer

    def set(self, buffer: bytearray | memoryview, name: str, value: Value) -> None:
        """Write one field into bytes of this layout; ArgumentError when the value does not fit."""
        field = self.field(name)
        try:
            struct.pack_into(self.prefix + field.format, buffer, field.offset, value)
        except struct.error:
            raise ArgumentError(
                f"{self.name}.{name} holds {field.size} bytes ({field.format}); {value!r} does not fit."
            ) from None

    def get(self, data: bytes | bytearray | memoryview, name: str) -> int:
        """Read one integer field."""
        field = self.field(name)
        value: int = struct.unpack_from(self.prefix + field.format, data, field.offset)[0]
        return value

    def unpack(self, data: bytes | bytearray | memoryview) -> dict[str, Value]:
        """Return every field that lies wholly inside `data`, under the first of its names."""
        if len(data) >= self.size:
            names, whole = self._whole
            return dict(zip(names, whole.unpack_from(data), strict=True))
        return {
            field.name: struct.unpack_from(self.prefix + field.format, data, field.offset)[0]
            for field in self.fields
            if field.offset + field.size <= len(data)
        }


def _place(text: str) -> Iterator[Field]:
    offset = 0
    for word in text.split():
        names, _, code = word.partition(":")
        alignment = 1 if code[-1] in "sx" else struct.calcsize("=" + code)
        offset += -offset % alignment
        if code[-1] != "x":
            yield Field(tuple(names.split("|")), offset, code)
        offset += struct.calcsize("=" + code)
