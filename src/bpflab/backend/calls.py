"""A call of the seam as a test sees it: its fields by name, decoded, and what was answered."""

from __future__ import annotations

import ctypes
import struct
import sys
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.attr import LAYOUTS, LINK_CREATE_LAYOUTS
from bpflab.abi.attr_memory import LINK_TAIL_OF
from bpflab.abi.attr_pointers import buffers
from bpflab.abi.commands import Command
from bpflab.abi.errno import errno_name
from bpflab.arguments import near_names
from bpflab.backend.known import KnownMap, text
from bpflab.backend.referred import referred_descriptors
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.abi.attr_pointers import Buffer
    from bpflab.abi.layout import Layout

BESIDE_OUT: Final = {"mmap": ("memory",), "poll": ("ready",)}
"""What answers of the calls beside bpf(2) have besides a number."""
MARK_SIZE: Final = 4
SHOWN_BYTES: Final = 32
WHOLE_NUMBER: Final = 8
"""Buffers of at most so many bytes may be given as an integer."""


class Call:
    """One call: `call.key`, `call.map_fd`, ... are its fields, or what was written there when it was answered.

    Attributes: `command` its name, `fields` what was given by name (buffers as bytes, texts as str, null pointers as
    None), `out` what the answer wrote, `result` the answer (None: not answered yet), `errno` 0 or the error's number,
    `map` and `program` the names of what it is about, empty when it is about none.
    """

    __slots__ = ("_layout", "_memory", "command", "errno", "fields", "map", "out", "program", "result", "room")

    def __init__(self, command: str, fields: dict[str, object]) -> None:
        self.command = command
        self.fields = fields
        self.out: dict[str, object] = {}
        self.result: int | None = None
        self.errno = 0
        self.map = ""
        self.program = ""
        self.room: dict[str, tuple[Buffer, int, int]] = {}
        self._layout: Layout | None = None
        self._memory: memoryview | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - each field has a type of its own
        if name.startswith("__"):
            raise AttributeError(name)
        for values in (self.out, self.fields):
            if (plain := self._plain(name)) in values:
                return values[plain]
        known = [*self.fields, *self.room]
        raise AttributeError(f"{self.command} has no field {name!r}{near_names(name, known)}")

    def get(self, name: str) -> object:
        """Return a field as it was given, or the name of the map or program; None when this call has no such field."""
        if name in {"map", "program"}:
            return str(getattr(self, name))
        return self.fields.get(self._plain(name))

    def fill(self, name: str, value: object) -> None:
        """Write a field or buffer of the attr, as a kernel does before it answers.

        ArgumentError when there is no such field, or the value is too long for it. A buffer whose size is a field of
        its own (`data_out`, `info`) has that field set; one that the caller did not give is passed over.
        """
        if name in BESIDE_OUT.get(self.command, ()):
            self.out[name] = value
            return
        if self._layout is None or self._memory is None:
            raise ArgumentError(f"{self.command} has nothing to write {name!r} to; it is answered, or has no attr.")
        plain = self._plain(name)
        if plain in self.room:
            self._fill_buffer(plain, value)
        elif isinstance(value, int):
            self._layout.set(self._memory, plain, value)
            self.out[plain] = int(value)
        else:
            raise ArgumentError(f"{self.command}.{name} is no buffer that is written; {value!r} cannot be put there.")

    def settle(self, result: int, errno: int = 0) -> None:
        """Note the answer, and let go of the attr's memory."""
        self.result, self.errno = result, errno
        self._memory = None

    def _plain(self, name: str) -> str:
        return self._layout.by_name[name].name if self._layout and name in self._layout.by_name else name

    def _fill_buffer(self, name: str, value: object) -> None:
        buffer, address, room = self.room[name]
        raw = raw_bytes(f"{self.command}.{name}", value, room)
        if buffer.size in {("key",), ("value",)}:
            raw = raw.ljust(room, b"\0")
        if len(raw) > room and address:
            raise ArgumentError(f"{self.command}.{name} has room for {room} bytes; {len(raw)} were to be written.")
        if address:
            ctypes.memmove(address, raw, len(raw))
        if buffer.length_field and self._layout is not None and self._memory is not None:
            self._layout.set(self._memory, buffer.length_field, len(raw))
            self.out[buffer.length_field] = len(raw)
        self.out[name] = value if isinstance(value, str) else raw

    def describe(self) -> str:
        """Show the call without its answer; fields that are zero or null are left out."""
        given = ", ".join(f"{name}={shown(value)}" for name, value in self.fields.items() if value)
        whose = " ".join(f"{kind} {name!r}" for kind, name in (("map", self.map), ("program", self.program)) if name)
        return f"{self.command}({given})" + (f" of {whose}" if whose else "")

    def __repr__(self) -> str:
        if self.result is None:
            return f"<{self.describe()}>"
        written = "".join(f", {name}={shown(value)}" for name, value in self.out.items())
        answer = f"-{errno_name(self.errno)}" if self.errno else f"{self.result}{written}"
        return f"<{self.describe()} -> {answer}>"


def raw_bytes(what: str, value: object, size: int) -> bytes:
    """Return the bytes of a value given as bytes, as text, or as an integer of `size` bytes in the host's order."""
    if isinstance(value, str):
        return value.encode() + b"\0"
    if isinstance(value, int) and size <= WHOLE_NUMBER:
        return value.to_bytes(size, sys.byteorder, signed=value < 0)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise ArgumentError(f"{what} is {value!r}; expected bytes, text, or an integer where it has at most 8 bytes.")


def shown(value: object) -> str:
    """Show a value; long bytes and texts are cut."""
    if isinstance(value, bytes | str) and len(value) > SHOWN_BYTES:
        return f"{value[:SHOWN_BYTES]!r}... ({len(value)})"
    return repr(int(value)) if isinstance(value, int) and not isinstance(value, bool) else repr(value)


def read_call(
    command: Command,
    pointer: ctypes.c_void_p,
    size: int,
    map_at: Callable[[int], KnownMap | None],
    program_at: Callable[[int], str | None],
) -> Call:
    """Decode the attr at an address; `map_at` and `program_at` say what descriptors are."""
    memory = memoryview((ctypes.c_char * size).from_address(pointer.value or 0)).cast("B")
    layout = _layout(command, memory)
    fields = _fields(layout, memory)
    call = Call(command.name, fields)
    call._layout, call._memory = layout, memory
    found = _name(call, fields, map_at, program_at)
    for buffer in buffers(command).values():
        _follow(call, buffer, found)
    return call


def _layout(command: Command, memory: memoryview) -> Layout:
    """Return the layout of an attr, which for LINK_CREATE goes by the attach type."""
    layout = LAYOUTS[command]
    if command != Command.LINK_CREATE or len(memory) <= layout.size:
        return layout
    tail = LINK_TAIL_OF.get(AttachType(layout.get(memory, "attach_type")))
    return LINK_CREATE_LAYOUTS[tail or "relative"]


def _fields(layout: Layout, memory: memoryview) -> dict[str, object]:
    plan, names, texts = _plan(layout)
    if len(memory) < plan.size:
        values = layout.unpack(memory)
        return {name: text(value) if isinstance(value, bytes) else value for name, value in values.items()}
    fields: dict[str, object] = dict(zip(names, plan.unpack_from(memory), strict=True))
    for name in texts:
        fields[name] = text(fields[name])
    return fields


@cache
def _plan(layout: Layout) -> tuple[struct.Struct, tuple[str, ...], tuple[str, ...]]:
    """Return a whole layout as one struct, the names of its fields, and those that are texts."""
    words, at = "", 0
    for field in layout.fields:
        words += f"{field.offset - at}x{field.format}"
        at = field.offset + field.size
    texts = tuple(field.name for field in layout.fields if field.format[-1] == "s")
    return struct.Struct(layout.prefix + words), tuple(field.name for field in layout.fields), texts


def _name(
    call: Call,
    fields: Mapping[str, object],
    map_at: Callable[[int], KnownMap | None],
    program_at: Callable[[int], str | None],
) -> KnownMap | None:
    """Find what a call is about by its descriptors, or by the name that it gives."""
    map_fd, prog_fd = fields.get("map_fd"), fields.get("prog_fd")
    found = map_at(map_fd) if isinstance(map_fd, int) else None
    call.map = found.name if found else str(fields.get("map_name", ""))
    call.program = str(fields.get("prog_name", ""))
    if isinstance(prog_fd, int):
        call.program = program_at(prog_fd) or ""
    return found


def _follow(call: Call, buffer: Buffer, found: KnownMap | None) -> None:
    """Replace a pointer by what it points to, or note its room when it is there to be written."""
    address = call.fields.get(buffer.name)
    if not isinstance(address, int):
        return
    if buffer.size == ("text",):
        call.fields[buffer.name] = ctypes.string_at(address).decode(errors="replace") if address else None
        return
    size = prod(_factor(word, call.fields, found) for word in buffer.size)
    if buffer.name == "fd_array" and not size:
        insns = call.fields["insns"]
        size = 4 * referred_descriptors(insns if isinstance(insns, bytes) else b"")
    if buffer.written:
        call.room[buffer.name] = (buffer, address, size)
        del call.fields[buffer.name]
    else:
        call.fields[buffer.name] = ctypes.string_at(address, size) if address else None


def _factor(word: str, fields: Mapping[str, object], found: KnownMap | None) -> int:
    if word.isdigit():
        return int(word)
    if word in {"key", "value", "mark"}:
        sizes = {"key": found.key_size, "value": found.value_size} if found else {}
        return max(sizes.get("key", 0), MARK_SIZE) if word == "mark" else sizes.get(word, 0)
    number = fields.get(word)
    return number if isinstance(number, int) else 0
