"""A context that is a structure of plain fields, as helpers and hooks see it while a program runs on it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.abi.context import ContextField, ContextLayout
    from bpflab.sim.memory import Region
    from bpflab.sim.sockets import Socket


class FieldContext:
    """Fields by name: numbers in host byte order, the first element of an array.

    `layout` has the kernel's fields and, behind them, those that are a test's alone. `about` is what the hook keeps
    of the run for its helpers, `socket` the socket that it is about.
    """

    __slots__ = ("_given", "about", "layout", "order", "region", "socket")

    def __init__(self, region: Region, layout: ContextLayout, order: str) -> None:
        self.region = region
        self.layout = layout
        self.order = order
        self.about: object = None
        self.socket: Socket | None = None
        self._given = bytes(region.data)

    def __getitem__(self, name: str) -> int:
        field = self.layout.field(name)
        return int(struct.unpack_from(self._code(field), self.region.data, field.offset)[0])

    def __setitem__(self, name: str, value: int) -> None:
        field = self.layout.field(name)
        bits = 8 * field.size
        number = value & ((1 << bits) - 1)
        if field.signed and number >> (bits - 1):
            number -= 1 << bits
        struct.pack_into(self._code(field), self.region.data, field.offset, number)

    def raw(self, name: str) -> bytes:
        """Return a field's bytes, the whole of an array."""
        field = self.layout.field(name)
        return bytes(self.region.data[field.offset : field.end])

    def clear(self, name: str) -> None:
        """Make a field zero, the whole of an array."""
        field = self.layout.field(name)
        self.region.data[field.offset : field.end] = bytes(field.end - field.offset)

    def shown(self) -> bytes:
        """Return the structure's bytes with pointers as the test gave them."""
        data = bytearray(self.region.data)
        for field in self.layout.fields:
            if field.pointer:
                data[field.offset : field.end] = self._given[field.offset : field.end]
        return bytes(data)

    def _code(self, field: ContextField) -> str:
        return ("<" if self.order == "little" else ">") + field.code[-1]
