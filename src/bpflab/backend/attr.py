"""An attr in memory: packed by name, handed to a backend by address, read back by name."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from bpflab.abi.attr import LAYOUTS
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.abi.commands import Command
    from bpflab.abi.layout import Layout

Buffer = bytes | bytearray | memoryview | ctypes.Array[ctypes.c_char]
AttrValue = int | Buffer
_BUFFERS = (bytes, bytearray, memoryview, ctypes.Array)


class Attr:
    """The attr of one call, with the buffers that it points to kept alive.

    A value given as a buffer is stored as its address (fixed-size text as itself). Writable buffers are
    passed as they are, so that the kernel's answer is found in them; bytes are copied first.
    """

    __slots__ = ("_bytes", "_kept", "_view", "layout", "pointer", "size")

    def __init__(self, command: Command, values: Mapping[str, AttrValue], layout: Layout | None = None) -> None:
        self.layout = layout or LAYOUTS[command]
        self.size = self.layout.size
        self._bytes = ctypes.create_string_buffer(self.size)
        self._view = memoryview(self._bytes).cast("B")
        self._kept: list[object] = []
        self.pointer = ctypes.c_void_p(ctypes.addressof(self._bytes))
        for name, value in values.items():
            self[name] = value

    def __setitem__(self, name: str, value: AttrValue) -> None:
        if isinstance(value, int):
            self.layout.set(self._view, name, value)
        elif not isinstance(value, _BUFFERS):
            raise ArgumentError(f"{self.layout.name}.{name} is {value!r}; expected an integer or bytes.")
        elif self.layout.field(name).format[-1] == "s":
            self.layout.set(self._view, name, bytes(value))
        else:
            kept, address = pin(value)
            self._kept.append(kept)
            self.layout.set(self._view, name, address)

    def __getitem__(self, name: str) -> int:
        return self.layout.get(self._view, name)


def pin(buffer: Buffer) -> tuple[object, int]:
    """Return something that keeps the buffer's memory in place, and its address (0 when it is empty)."""
    if len(buffer) == 0:
        return None, 0
    if isinstance(buffer, bytes) or (isinstance(buffer, memoryview) and buffer.readonly):
        buffer = ctypes.create_string_buffer(bytes(buffer), len(buffer))
    array = buffer if isinstance(buffer, ctypes.Array) else (ctypes.c_char * len(buffer)).from_buffer(buffer)
    return array, ctypes.addressof(array)
