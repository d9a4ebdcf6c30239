"""Objects of the kernel as text by their BTF types, as bpf_snprintf_btf writes them (btf_show in kernel/bpf/btf.c).

Zeros are left out unless they are asked for, and so is whatever holds nothing else. Members of arrays have no names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolved, size_of

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf

COMPACT, NONAME, RAW, ZERO = 1, 2, 4, 8
"""Flags BTF_F_* of linux/bpf.h: no line breaks, no names and types, addresses as they are, zeros too."""
NAME_SIZE: Final = 80
"""Room for a member's name and type with the final zero."""
MAX_INDENT: Final = 80
QUALIFIERS: Final = (t.Const, t.Volatile, t.Restrict, t.TypeTag)
SIZED: Final = (t.Int, t.Composite, t.Enum, t.Enum64, t.Float)
"""Types that say their size. Of arrays of others the kernel shows the first element, again and again."""
_KINDS: Final = {t.Struct: "struct", t.Union: "union", t.Enum: "enum", t.Enum64: "enum"}
_PRINTABLE: Final = frozenset((*range(0x20, 0x7F), *range(0xA0, 0x100)))
"""What isprint() of the kernel takes (lib/ctype.c)."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: how deep, under which member's name (None: no member), of which declared type."""

    depth: int
    type_id: int
    member: str | None = None
    element: bool = False
    letters: bool = False


class BtfText:
    """Writes objects of one BTF with one set of flags."""

    def __init__(self, btf: Btf, flags: int) -> None:
        self._btf = btf
        self._flags = flags

    def text(self, type_id: int, data: bytes) -> bytes:
        """Return an object's text."""
        return self._show(_Place(0, type_id), data)

    def _show(self, place: _Place, data: bytes) -> bytes:
        """Return the text of a value with what stands around it; nothing where it is not shown."""
        match resolved(self._btf, place.type_id):
            case t.Struct() | t.Union() as found:
                return self._aggregate(place, self._members(place, found, data), b"}")
            case t.Array() as found:
                return self._aggregate(place, self._elements(place, found, data), b"]")
            case t.Int() as found:
                return self._integer(place, found, data)
            case t.Enum() | t.Enum64() as found:
                return self._enumerator(place, found, data)
            case t.Pointer():
                return self._address(place, data)
            case found:
                return self._line(place, b"<unsupported kind:%d>" % found.kind)

    def _members(self, place: _Place, found: t.Struct | t.Union, data: bytes) -> bytes:
        lines = bytearray()
        for member in found.members:
            inside = _Place(place.depth + 1, member.type_id, member.name, element=place.element)
            start = member.bit_offset // 8
            if member.bit_size:
                lines += self._hexadecimal(inside, self._bits(data[start:], member.bit_offset % 8, member.bit_size))
            else:
                lines += self._show(inside, data[start : start + size_of(self._btf, member.type_id)])
        return bytes(lines)

    def _elements(self, place: _Place, found: t.Array, data: bytes) -> bytes:
        size, kind = size_of(self._btf, found.type_id), resolved(self._btf, found.type_id)
        letters = isinstance(kind, t.Int) and kind.size == 1
        step = size if isinstance(kind, SIZED) else 0
        inside = _Place(place.depth + 1, found.type_id, element=True, letters=letters)
        lines = bytearray()
        for at in range(0, found.length * step, step) if step else [0] * found.length:
            if letters and not data[at]:
                break
            lines += self._show(inside, data[at : at + size])
        return bytes(lines)

    def _aggregate(self, place: _Place, inside: bytes, closing: bytes) -> bytes:
        if not inside and place.depth and not self._flags & ZERO:
            return b""
        indent, newline = self._indent(place), self._newline
        return indent + self._name(place) + newline + inside + indent + closing + self._delimiter(place) + newline

    def _integer(self, place: _Place, found: t.Int, data: bytes) -> bytes:
        value = int.from_bytes(data[: found.size], self._btf.byteorder, signed=found.signed)
        if found.bits % 8 or found.offset or found.bits not in {8, 16, 32, 64}:
            return self._hexadecimal(place, self._bits(data, found.offset, found.bits))
        if place.letters and data[0] in _PRINTABLE:
            return self._line(place, b"'%c'" % data[0])
        return self._value(place, value, b"%d" % value)

    def _enumerator(self, place: _Place, found: t.Enum | t.Enum64, data: bytes) -> bytes:
        value = int.from_bytes(data[: found.size], self._btf.byteorder, signed=True)
        unsigned = value & ((1 << 8 * found.size) - 1)
        for each in found.values:
            if each.value in {value, unsigned}:
                return self._line(place, each.name.encode())
        shown = value if found.signed else unsigned
        return self._value(place, shown, b"%d" % shown)

    def _address(self, place: _Place, data: bytes) -> bytes:
        value = int.from_bytes(data[:8], self._btf.byteorder)
        return self._value(place, value, b"0x%016x" % value)

    def _hexadecimal(self, place: _Place, value: int) -> bytes:
        return self._value(place, value, b"0x%x" % value)

    def _bits(self, data: bytes, offset: int, count: int) -> int:
        """Return bits of the bytes at hand, the first ones at `offset`."""
        size = -(-(offset + count) // 8)
        whole = int.from_bytes(data[:size], self._btf.byteorder)
        shift = offset if self._btf.byteorder == "little" else 8 * size - offset - count
        return whole >> shift & ((1 << count) - 1)

    def _value(self, place: _Place, value: int, text: bytes) -> bytes:
        return self._line(place, text) if value or self._flags & ZERO or not place.depth else b""

    def _line(self, place: _Place, text: bytes) -> bytes:
        return self._indent(place) + self._name(place) + text + self._delimiter(place) + self._newline

    @property
    def _newline(self) -> bytes:
        return b"" if self._flags & COMPACT else b"\n"

    def _indent(self, place: _Place) -> bytes:
        return b"" if self._flags & COMPACT else b" " * min(place.depth, MAX_INDENT)

    def _delimiter(self, place: _Place) -> bytes:
        return b"," if place.depth else b""

    def _name(self, place: _Place) -> bytes:
        """Return `.member = (type)` and the bracket that opens."""
        if place.element:
            return b""
        declared = Declared.of(self._btf, place.type_id)
        if self._flags & NONAME:
            return declared.opening
        member = f".{place.member} = " if place.member else ""
        return f"{member}({declared.text}){declared.opening.decode()}".encode()[: NAME_SIZE - 1]


@dataclass(frozen=True, slots=True)
class Declared:
    """A type as it is written before a value, and the bracket that opens behind it."""

    text: str
    opening: bytes

    @classmethod
    def of(cls, btf: Btf, type_id: int) -> Declared:
        """Follow a type through pointers, arrays and typedefs, of which the first one names it."""
        name, stars, arrays, renamed = "", "", "", False
        found = btf[type_id]
        while isinstance(found, (t.Typedef, t.Array, t.Pointer)):
            if isinstance(found, t.Typedef):
                name, renamed = name or found.name, True
            elif isinstance(found, t.Array):
                arrays += "[]"
            else:
                stars += "*"
            found = _unqualified(btf, found.type_id)
        kind = next((word for each, word in _KINDS.items() if isinstance(found, each)), "")
        prefix = "" if renamed else kind
        named = name or found.name
        words = f"{prefix}{' ' if prefix and named else ''}{named}{' ' if stars else ''}{stars}"
        opening = b"[" if arrays else b"{" if kind in {"struct", "union"} else b""
        return cls(words + arrays, b"" if stars else opening)


def _unqualified(btf: Btf, type_id: int) -> t.BtfType:
    found = btf[type_id]
    while isinstance(found, QUALIFIERS):
        found = btf[found.type_id]
    return found
