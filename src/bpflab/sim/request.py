"""One call of bpf(2) as a command sees it: the attr's fields by name, and a way to answer in them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.abi.layout import Layout

ATTR_SIZE: Final = 168
"""sizeof(union bpf_attr) of Linux 6.18. Bytes past it must be zero (E2BIG), whatever the command."""

MAX_SIZE: Final = 4096
"""An attr longer than a page is refused with E2BIG (kernel/bpf/syscall.c, bpf_check_uarg_tail_zero)."""


class Decoder:
    """Unpacks attrs of one layout in one call of struct; every name of a union stands for its value.

    `known` is how many bytes the command knows, if that is more than the layout has: other parts of a union.
    """

    def __init__(self, layout: Layout, known: int = 0) -> None:
        self.layout = layout
        text, end = layout.prefix, 0
        self.index: dict[str, int] = {}
        for index, field in enumerate(layout.fields):
            text += f"{field.offset - end}x{field.format}"
            end = field.offset + field.size
            self.index.update((name, index) for name in field.names)
        self.unpack = struct.Struct(text).unpack_from
        self.size = layout.size
        self.known = max(known, layout.size)

    def decode(self, data: bytes) -> tuple[int, ...]:
        """Return the fields; bytes that are missing count as zero, EINVAL when one past the last field is not."""
        size = self.size
        if len(data) > size:
            refuse_if(any(data[self.known :]))
        elif len(data) < size:
            data = data.ljust(size, b"\0")
        return self.unpack(data)


class Request:
    """A call: `request["map_fd"]` reads a field, `answer` writes one where the caller will find it."""

    __slots__ = ("_index", "_values", "address", "decoder", "raw", "size")

    def __init__(self, decoder: Decoder, address: int, size: int) -> None:
        if size > ATTR_SIZE:
            check_tail(address, size)
        self.address = address
        self.size = size
        self.raw = user.read(address, min(size, ATTR_SIZE))
        self.decoder = decoder
        self._index = decoder.index
        self._values = decoder.decode(self.raw)

    def __getitem__(self, name: str) -> int:
        return self._values[self._index[name]]

    @property
    def layout(self) -> Layout:
        """The layout of the attr."""
        return self.decoder.layout

    def text(self, name: str) -> bytes:
        """Return a field of fixed-size text, with all its bytes."""
        field = self.layout.field(name)
        return self.raw.ljust(self.decoder.size, b"\0")[field.offset : field.offset + field.size]

    def answer(self, name: str, value: int) -> None:
        """Write a field of the caller's attr; a field that lies past its size is left out."""
        field = self.layout.field(name)
        if field.offset + field.size <= self.size:
            user.write(self.address + field.offset, struct.pack(self.layout.prefix + field.format, value))


def check_tail(address: int, size: int) -> None:
    """Refuse an attr that is longer than a page, or not zero where this kernel knows no field (E2BIG)."""
    refuse_if(size > MAX_SIZE, Errno.E2BIG)
    if any(user.read(address, size)[ATTR_SIZE:]):
        raise Refusal(Errno.E2BIG)
