"""Bytes, text and struct formats."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any

from bpflab.errors import ArgumentError, CodecError
from bpflab.maps.codecs.base import BaseCodec, CodecCell

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.maps.codecs.base import Readable


class BytesCell(CodecCell[bytes]):
    """A cell of bytes as they are: those of the right type and size need no codec."""

    __slots__ = ()

    def __getitem__(self, _: int, /) -> bytes:
        return self._view.tobytes()

    def __setitem__(self, _: int, value: bytes, /) -> None:
        if type(value) is bytes and len(value) == len(self._view):
            self._view[:] = value
        else:
            self._codec.pack_into(self._view, 0, value)


class BytesCodec(BaseCodec[bytes]):
    """`size` bytes as they are."""

    wanted = "exactly that many bytes"

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"bytes of {size}"

    def cell(self) -> tuple[BytesCell, int]:
        """Make the memory of one value; it and its address."""
        made = BytesCell(self)
        return made, made.address

    def pack(self, value: bytes, /) -> bytes:
        """Return the bytes; CodecError when there are more or fewer than `size`."""
        if not isinstance(value, bytes | bytearray | memoryview) and not hasattr(value, "__bytes__"):
            raise self.refusal(value)
        packed = bytes(value)
        if len(packed) != self.size:
            raise CodecError(f"{len(packed)} bytes are given ({value!r}); {self.size} are expected.")
        return packed

    def unpack(self, data: Readable, /) -> bytes:
        """Return the bytes."""
        return bytes(self.exact(data))


class TextCodec(BaseCodec[str]):
    """Text in a `char[size]`: UTF-8, ended by a zero byte where it is shorter, undecodable bytes kept as surrogates."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"char[{size}]"
        self.wanted = f"text of at most {size} bytes without a zero byte, or bytes"

    def pack(self, value: str | bytes, /) -> bytes:
        """Return the text's bytes, filled up with zeros."""
        if not isinstance(value, str | bytes):
            raise self.refusal(value)
        try:
            packed = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        except UnicodeEncodeError as error:
            raise self.refusal(value) from error
        if len(packed) > self.size or b"\0" in packed.rstrip(b"\0"):
            raise self.refusal(value)
        return packed.ljust(self.size, b"\0")

    def unpack(self, data: Readable, /) -> str:
        """Return the text up to the first zero byte."""
        return bytes(self.exact(data)).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


class StructCodec(BaseCodec[Any]):
    """A `struct` format: a tuple of its fields, or the field itself when there is but one."""

    def __init__(self, format: str, byteorder: ByteOrder) -> None:  # noqa: A002 - the struct module's word
        order = "<" if byteorder == "little" else ">"
        self.name = f"struct {format!r}"
        try:
            self._struct = struct.Struct(order + format[1:] if format[0] == "=" else format)
        except struct.error as error:
            raise ArgumentError(f"{format!r} is no format of the struct module: {error}.") from None
        self.size = self._struct.size
        self._fields = len(self._struct.unpack(bytes(self.size)))
        self.wanted = f"a tuple of {self._fields} fields" if self._fields != 1 else "one field"

    def pack(self, value: Any, /) -> bytes:  # noqa: ANN401 - a tuple or a single field
        """Return the fields' bytes; CodecError when a field is missing or does not fit."""
        try:
            return self._struct.pack(value) if self._fields == 1 else self._struct.pack(*value)
        except (struct.error, TypeError, OverflowError) as error:
            raise CodecError(f"{value!r} does not fit {self.name} ({error}); expected {self.wanted}.") from None

    def unpack(self, data: Readable, /) -> Any:  # noqa: ANN401 - a tuple or a single field
        """Return the fields."""
        fields = self._struct.unpack(self.exact(data))
        return fields[0] if self._fields == 1 else fields

    def unpack_many(self, data: memoryview) -> list[Any]:
        """Return the fields of each value."""
        every = self._struct.iter_unpack(data)
        return [each[0] for each in every] if self._fields == 1 else list(every)


class CtypesCodec(BaseCodec[Any]):
    """A ctypes type: an instance of it (a copy), or for simple types their Python value.

    A mapping of field names or a sequence in field order makes an instance; a field it does not hold is an
    error, unlike in ctypes itself, which cuts integers to size.
    """

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind
        self.size = ctypes.sizeof(kind)
        self.name = kind.__name__
        self._simple = hasattr(kind, "value") and not hasattr(kind, "_fields_")
        self._names: list[str] = [field[0] for field in getattr(kind, "_fields_", ())]
        self.wanted = "its value" if self._simple else f"an instance, or fields {', '.join(self._names)}"

    def pack(self, value: Any, /) -> bytes:  # noqa: ANN401 - a structure, or what makes one
        """Return the structure's bytes."""
        return bytes(value if isinstance(value, self._kind) else self._made(value))

    def unpack(self, data: Readable, /) -> Any:  # noqa: ANN401 - an instance of the given type
        """Return a copy as an instance of the type, or the value of a simple type."""
        made = self._kind.from_buffer_copy(self.exact(data))
        return made.value if self._simple else made

    def _made(self, value: Any) -> Any:  # noqa: ANN401 - as in pack
        try:
            if self._simple:
                return self._checked(self._kind(value), {"value": value})
            fields = dict(value) if hasattr(value, "keys") else dict(zip(self._names, value, strict=True))
            return self._checked(self._kind(**self._known(fields)), fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise self.refusal(value, error) from None

    def _known(self, fields: dict[str, Any]) -> dict[str, Any]:
        unknown = [name for name in fields if name not in self._names]
        if unknown:
            raise CodecError(
                f"{self.name} has no field {', '.join(map(repr, unknown))}; it has {', '.join(self._names)}."
            )
        return fields

    def _checked(self, made: Any, fields: dict[str, Any]) -> Any:  # noqa: ANN401 - a ctypes instance
        for name, value in fields.items():
            if isinstance(value, int) and getattr(made, name) != value:
                raise CodecError(f"{value} does not fit {self.name}.{name}, which would hold {getattr(made, name)}.")
        return made
