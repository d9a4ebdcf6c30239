"""Integers: u8 to u128, s8 to s128, in the map's byte order or a stated one (be16, le32)."""

from __future__ import annotations

import re
import sys
from array import array
from typing import TYPE_CHECKING, Final, Literal

from bpflab.maps.codecs.base import BaseCodec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.errors import CodecError
    from bpflab.maps.codecs.base import Cell, Readable


NAME: Final = re.compile(r"(?P<sign>[us]|be|le|sbe|sle)(?P<bits>8|16|32|64|128)")
Code = Literal["b", "B", "h", "H", "i", "I", "q", "Q"]
CODES: Final[dict[tuple[int, bool], Code]] = {
    (1, False): "B",
    (2, False): "H",
    (4, False): "I",
    (8, False): "Q",
    (1, True): "b",
    (2, True): "h",
    (4, True): "i",
    (8, True): "q",
}
"""The array codes of the C integers, by size in bytes and sign."""


class IntegerCodec(BaseCodec[int]):
    """An integer of `size` bytes."""

    def __init__(self, name: str, size: int, *, signed: bool, byteorder: ByteOrder) -> None:
        self.name = name
        self.size = size
        self.signed = signed
        self.byteorder: ByteOrder = byteorder
        bits = size * 8 - signed
        self.low, self.high = (-(1 << bits) if signed else 0), (1 << bits) - 1
        self.wanted = f"an integer from {self.low} to {self.high}"
        self._code = CODES.get((size, signed))
        self._native = byteorder == sys.byteorder or size == 1

    def pack(self, value: int, /) -> bytes:
        """Return the integer's bytes; CodecError when it is none, or out of range."""
        try:
            return value.__index__().to_bytes(self.size, self.byteorder, signed=self.signed)
        except (OverflowError, AttributeError, TypeError):
            raise self.refusal(value) from None

    def unpack(self, data: Readable, /) -> int:
        """Return the integer."""
        return int.from_bytes(self.exact(data), self.byteorder, signed=self.signed)

    def cell(self) -> tuple[Cell[int], int]:
        """Make a cell; for an integer of the machine's own order, a C array of one."""
        if not self._native or self._code is None:
            return super().cell()
        made = array(self._code, [0])
        return made, made.buffer_info()[0]

    def pack_many(self, values: Sequence[int]) -> memoryview:
        """Return the bytes of all integers."""
        if self._code is None:
            return super().pack_many(values)
        try:
            packed = array(self._code, values)
        except (OverflowError, TypeError):
            raise self._first_refusal(values) from None
        if not self._native:
            packed.byteswap()
        return memoryview(packed).cast("B")

    def unpack_many(self, data: memoryview) -> list[int]:
        """Return the integers as a list."""
        if self._code is None:
            return [self.unpack(data[start : start + self.size]) for start in range(0, len(data), self.size)]
        if self._native:
            return data.cast(self._code).tolist()
        swapped = array(self._code, data.tobytes())
        swapped.byteswap()
        return swapped.tolist()

    def _first_refusal(self, values: Sequence[int]) -> CodecError:
        numbers: Sequence[object] = values
        unfit = (each for each in numbers if not isinstance(each, int) or not self.low <= each <= self.high)
        return self.refusal(next(unfit, values))


def integer(name: str, byteorder: ByteOrder) -> IntegerCodec | None:
    """Return the codec of a name such as `u32`, `s64`, `be16` or `sle32`; None when it is no integer's.

    `byteorder` is the map's own, for names that state none.
    """
    found = NAME.fullmatch(name)
    if found is None:
        return None
    sign, bits = found["sign"], int(found["bits"])
    order: ByteOrder = "big" if sign.endswith("be") else "little" if sign.endswith("le") else byteorder
    return IntegerCodec(name, bits // 8, signed=sign.startswith("s"), byteorder=order)
