"""A recorded call put back into memory: its attr, with buffers behind its pointers."""

from __future__ import annotations

import ctypes
import itertools
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.attr import LAYOUTS, LINK_CREATE_LAYOUTS
from bpflab.abi.attr_memory import LINK_TAIL_OF, Form, Pointer, info_pointers, link_pointers, pointers_of
from bpflab.abi.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpflab.abi.layout import Layout
    from bpflab.backend.journal_entry import Ask, Opened

SPARE: Final = 4096
"""Bytes behind each buffer that belong to nobody: what another kernel writes too much hurts nothing."""


class Rebuilt:
    """The memory of one call: `address` is its attr, `buffers` what it points to, by name."""

    def __init__(self, ask: Ask, opened: Mapping[int, Opened]) -> None:
        self.buffers: dict[str, ctypes.Array[ctypes.c_char]] = {}
        self._kept: list[object] = []
        self._ask = ask
        attr = bytearray(ask.rest if ask.command not in LAYOUTS else self._attr(opened) + ask.rest)
        del attr[ask.size :]
        self._memory = ctypes.create_string_buffer(bytes(attr), ask.size + SPARE)
        self.address = ctypes.addressof(self._memory)

    def _attr(self, opened: Mapping[int, Opened]) -> bytes:
        ask = self._ask
        layout, pointers = shape_of(ask)
        data = layout.pack(ask.fields)
        self._point(layout, data, pointers, "")
        target = opened.get(int(ask.fields.get("bpf_fd", 0)))
        if "info" in self.buffers and target:
            nested, inside = info_pointers(target.kind)
            info = bytearray(self.buffers["info"].raw)
            self._point(nested, info, inside, "info.")
            self.buffers["info"].raw = bytes(info)
        return bytes(data)

    def _point(self, layout: Layout, data: bytearray, pointers: Iterable[Pointer], prefix: str) -> None:
        for pointer in pointers:
            name = prefix + pointer.name
            if name in self._ask.inputs or name in self._ask.rooms:
                layout.set(data, pointer.name, self._buffer(name, pointer))

    def _buffer(self, name: str, pointer: Pointer) -> int:
        given = self._ask.inputs.get(name, b"")
        if pointer.form is Form.TEXTS:
            given = self._addresses(given)
        size = max(len(given), self._ask.rooms.get(name, 0)) + SPARE
        self.buffers[name] = ctypes.create_string_buffer(given, size)
        return ctypes.addressof(self.buffers[name])

    def _addresses(self, texts: bytes) -> bytes:
        """Put texts into memory, and return the table of their addresses."""
        memory = ctypes.create_string_buffer(texts, len(texts) + 1)
        self._kept.append(memory)
        lengths = [len(text) + 1 for text in texts.split(b"\0")[:-1]]
        starts = itertools.accumulate(lengths[:-1], initial=ctypes.addressof(memory)) if lengths else ()
        return b"".join(bytes(ctypes.c_uint64(start)) for start in starts)


def shape_of(ask: Ask) -> tuple[Layout, tuple[Pointer, ...]]:
    """Return the layout of a recorded call's attr, and its pointers."""
    command = Command(ask.command)
    if command is not Command.LINK_CREATE:
        return LAYOUTS[command], pointers_of(command)
    number = int(ask.fields.get("attach_type", 0))
    tail = LINK_TAIL_OF.get(AttachType(number), "relative") if number in list(AttachType) else "relative"
    return LINK_CREATE_LAYOUTS[tail], link_pointers(tail)
