"""Codecs of BTF types: integers, enums, arrays, text, structs, unions, data sections."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, Self

from bpflab.abi.btf import BtfKind, IntEncoding
from bpflab.errors import ArgumentError, CodecError
from bpflab.maps.codecs.base import BaseCodec, Readable
from bpflab.maps.codecs.integers import IntegerCodec
from bpflab.maps.codecs.plain import BytesCodec, TextCodec
from bpflab.maps.codecs.records import RecordCodec, RecordField, packed
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import POINTER_SIZE, fields, resolve, size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.obj.btf import Btf

KEYWORDS: Final = {"struct": (BtfKind.STRUCT,), "union": (BtfKind.UNION,), "enum": (BtfKind.ENUM, BtfKind.ENUM64)}


class EnumValue(int):
    """A value of a BTF enum: an integer that knows the enumerator's name, `name`, empty where there is none."""

    name: str

    def __new__(cls, value: int, name: str = "") -> Self:
        """Make a value; an enumerator's name does not take part in comparisons."""
        made = super().__new__(cls, value)
        made.name = name
        return made

    def __repr__(self) -> str:
        return f"{self.name} ({int(self)})" if self.name else str(int(self))


class EnumCodec(IntegerCodec):
    """An enum: takes integers and enumerators' names, gives `EnumValue`."""

    def __init__(self, enum: t.Enum, byteorder: ByteOrder) -> None:
        super().__init__(f"enum {enum.name}".strip(), enum.size, signed=enum.signed, byteorder=byteorder)
        self._code = None
        self._values = {each.name: each.value for each in enum.values}
        self._names = {value: name for name, value in reversed(self._values.items())}
        self.wanted = f"an integer, or one of {', '.join(self._values)}"

    def pack(self, value: int | str, /) -> bytes:
        """Return the integer's bytes."""
        if isinstance(value, str):
            if value not in self._values:
                raise self.refusal(value)
            value = self._values[value]
        return super().pack(value)

    def unpack(self, data: Readable, /) -> EnumValue:
        """Return the integer, with its name where it has one."""
        value = super().unpack(data)
        return EnumValue(value, self._names.get(value, ""))


class BoolCodec(BaseCodec[bool]):
    """A `_Bool` of one byte."""

    size = 1
    name = "bool"
    wanted = "True or False"

    def pack(self, value: bool, /) -> bytes:
        """Return one byte, 0 or 1."""
        if value not in {0, 1}:
            raise self.refusal(value)
        return bytes([value])

    def unpack(self, data: Readable, /) -> bool:
        """Return whether any bit is set."""
        return any(self.exact(data))


class FloatCodec(BaseCodec[float]):
    """A floating-point number of 4 or 8 bytes."""

    wanted = "a number"

    def __init__(self, size: int, byteorder: ByteOrder) -> None:
        self.size = size
        self.name = "float" if size == 4 else "double"
        self._struct = struct.Struct(("<" if byteorder == "little" else ">") + ("f" if size == 4 else "d"))

    def pack(self, value: float, /) -> bytes:
        """Return the number's bytes."""
        try:
            return self._struct.pack(value)
        except (struct.error, OverflowError):
            raise self.refusal(value) from None

    def unpack(self, data: Readable, /) -> float:
        """Return the number."""
        value: float = self._struct.unpack(self.exact(data))[0]
        return value


class SequenceCodec(BaseCodec[Any]):
    """An array of `length` elements: takes any sequence of that length, gives a tuple."""

    def __init__(self, element: BaseCodec[Any], length: int) -> None:
        self.element = element
        self.length = length
        self.size = element.size * length
        self.name = f"{element.name}[{length}]"
        self.wanted = f"a sequence of {length} values"

    def pack(self, value: Sequence[Any], /) -> bytes:
        """Return the elements' bytes."""
        if isinstance(value, str | bytes) or not hasattr(value, "__len__"):
            raise self.refusal(value)
        if len(value) != self.length:
            raise CodecError(f"{self.name} takes {self.length} values; {len(value)} were given ({value!r}).")
        return b"".join(packed(self.element, each) for each in value)

    def unpack(self, data: Readable, /) -> tuple[Any, ...]:
        """Return the elements."""
        return tuple(self.element.unpack_many(memoryview(self.exact(data))))


def codec_by_name(btf: Btf, name: str) -> BaseCodec[Any]:
    """Make the codec of a type by its C name: `struct flow`, `union u`, `enum e`, `__u32` or any other."""
    keyword, _, rest = name.partition(" ")
    if rest and keyword in KEYWORDS:
        return codec_by_id(btf, btf.require(rest, *KEYWORDS[keyword]))
    return codec_by_id(btf, btf.require(name))


def codec_by_id(btf: Btf, type_id: int) -> BaseCodec[Any]:
    """Make the codec of a type by its id; it knows both, as `btf` and `type_id`. ArgumentError if it has no values."""
    made = _codec(btf, type_id)
    made.btf, made.type_id = btf, type_id
    return made


def _codec(btf: Btf, type_id: int) -> BaseCodec[Any]:  # noqa: PLR0911 - one for each kind of type
    order = btf.byteorder
    match btf[resolve(btf, type_id)]:
        case t.Int(encoding=encoding, size=1) if encoding & IntEncoding.BOOL:
            return BoolCodec()
        case t.Int() as found:
            return IntegerCodec(found.name, found.size, signed=found.signed, byteorder=order)
        case t.Enum() as found:
            return EnumCodec(found, order)
        case t.Float(size=4 | 8 as size):
            return FloatCodec(size, order)
        case t.Pointer():
            return IntegerCodec("pointer", POINTER_SIZE, signed=False, byteorder=order)
        case t.Array(type_id=element, length=length):
            return _array(btf, element, length)
        case t.Composite(size=size) as found:
            name = f"{found.kind.name.lower()} {found.name}".strip()
            return RecordCodec(name, size, _fields(btf, type_id), order)
        case t.Datasec(size=size) as section:
            return RecordCodec(section.name, size, _variables(btf, section), order)
        case found:
            raise ArgumentError(f"A {found.kind.name} of BTF ({found.name!r}) has no values that a map could hold.")


def _array(btf: Btf, element_id: int, length: int) -> BaseCodec[Any]:
    element = btf[resolve(btf, element_id)]
    if isinstance(element, t.Int) and element.size == 1 and element.name == "char":
        return TextCodec(length)
    if isinstance(element, t.Int) and element.size == 1 and not element.signed:
        return BytesCodec(length)
    return SequenceCodec(codec_by_id(btf, element_id), length)


def _fields(btf: Btf, type_id: int) -> list[RecordField]:
    return [
        RecordField(each.name, each.bit_offset, each.bit_size, codec_by_id(btf, each.type_id), each.bitfield)
        for each in fields(btf, type_id)
        if each.bit_size
    ]


def _variables(btf: Btf, section: t.Datasec) -> list[RecordField]:
    return [
        RecordField(btf.name(each.type_id), each.offset * 8, each.size * 8, _variable(btf, each))
        for each in section.variables
        if isinstance(btf[each.type_id], t.Var) and each.size
    ]


def _variable(btf: Btf, placed: t.SectionVariable) -> BaseCodec[Any]:
    type_id = btf.get(placed.type_id, t.Var).type_id
    codec = codec_by_id(btf, type_id)
    return codec if size_of(btf, type_id) == placed.size else BytesCodec(placed.size)
