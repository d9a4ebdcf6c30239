"""What a codec is, and the memory of one value that a call reads or writes."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from bpflab.errors import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpflab.obj.btf import Btf

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Readable = bytes | bytearray | memoryview
"""Bytes that a codec reads."""

UNFIT = (CodecError, OverflowError, TypeError)
"""What putting a value into a cell raises when it does not fit; `Codec.refusal` makes a CodecError of it."""


@runtime_checkable
class Codec(Protocol[T]):
    """A way between values and a fixed number of bytes. Anything with these three serves as key= or value=.

    `pack` raises CodecError (a ValueError) for a value that does not fit, and takes everything that `unpack` gives.
    """

    @property
    def size(self) -> int:
        """Bytes of one value."""

    def pack(self, value: T, /) -> bytes:
        """Return the value's bytes."""

    def unpack(self, data: Readable, /) -> T:
        """Return the value of exactly `size` bytes."""


class Cell(Protocol[T]):
    """The memory of one value at a fixed address: `cell[0] = value` packs, `cell[0]` unpacks."""

    def __getitem__(self, index: int, /) -> T: ...

    def __setitem__(self, index: int, value: T, /) -> None: ...


class BaseCodec(Generic[T]):
    """A codec with all that maps ask of one.

    A child gives `size`, `name`, `pack` and `unpack`, and what it can do faster. `name` and `wanted` are what errors
    call it and say of it; `btf` and `type_id` are where its type stands, if it has one.
    """

    size: int
    name: str = "bytes"
    wanted: str = ""
    btf: Btf | None = None
    type_id: int = 0

    def pack(self, value: T, /) -> bytes:
        """Return the value's bytes; CodecError when it does not fit."""
        raise NotImplementedError

    def unpack(self, data: Readable, /) -> T:
        """Return the value of exactly `size` bytes."""
        raise NotImplementedError

    def pack_into(self, buffer: bytearray | memoryview, offset: int, value: T) -> None:
        """Write the value's bytes at an offset."""
        buffer[offset : offset + self.size] = self.pack(value)

    def cell(self) -> tuple[Cell[T], int]:
        """Make the memory of one value; it and its address."""
        made = CodecCell(self)
        return made, made.address

    def pack_many(self, values: Sequence[T]) -> memoryview:
        """Return the bytes of all values, one behind the other."""
        packed = memoryview(bytearray(self.size * len(values)))
        for index, value in enumerate(values):
            self.pack_into(packed, index * self.size, value)
        return packed

    def unpack_many(self, data: memoryview) -> Iterable[T]:
        """Return the values that stand one behind the other; they are read before this returns."""
        size, unpack = self.size, self.unpack
        return [unpack(data[start : start + size]) for start in range(0, len(data), size)]

    def refusal(self, value: object, reason: BaseException | None = None) -> CodecError:
        """Build the error of a value that does not fit."""
        if isinstance(reason, CodecError):
            return reason
        wanted = f"; expected {self.wanted}" if self.wanted else ""
        return CodecError(f"{value!r} does not fit {self.name} ({self.size} bytes){wanted}.")

    def exact(self, data: Readable) -> Readable:
        """Check the number of bytes that `unpack` was given."""
        if len(data) != self.size:
            raise CodecError(f"{self.name} is read from {self.size} bytes; {len(data)} were given.")
        return data

    def __repr__(self) -> str:
        return f"<codec {self.name}, {self.size} bytes>"


class CodecCell(Generic[T]):
    """A cell whose values go through a codec's pack and unpack."""

    __slots__ = ("_buffer", "_codec", "_view", "address")

    def __init__(self, codec: BaseCodec[T]) -> None:
        self._codec = codec
        self._buffer = ctypes.create_string_buffer(max(codec.size, 1))
        self._view = memoryview(self._buffer).cast("B")[: codec.size]
        self.address = ctypes.addressof(self._buffer)

    def __getitem__(self, _: int, /) -> T:
        return self._codec.unpack(bytes(self._view))

    def __setitem__(self, _: int, value: T, /) -> None:
        self._codec.pack_into(self._view, 0, value)


class AdaptedCodec(BaseCodec[Any]):
    """A user's codec of `size`, `pack` and `unpack`, with the rest filled in and its answers checked."""

    def __init__(self, codec: Codec[Any]) -> None:
        self._codec = codec
        self.size = codec.size
        self.name = getattr(codec, "name", type(codec).__name__)

    def pack(self, value: Any, /) -> bytes:  # noqa: ANN401 - the user's own type
        """Pack by the user's codec; CodecError when it answers another number of bytes or a ValueError."""
        try:
            packed = bytes(self._codec.pack(value))
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            raise self.refusal(value, error) from error
        if len(packed) != self.size:
            raise CodecError(f"{self.name}.pack({value!r}) gave {len(packed)} bytes; its size is {self.size}.")
        return packed

    def unpack(self, data: Readable, /) -> Any:  # noqa: ANN401 - the user's own type
        """Unpack by the user's codec."""
        return self._codec.unpack(self.exact(data))
