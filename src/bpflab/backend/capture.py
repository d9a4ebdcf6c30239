"""A call of bpf(2) read out of this process's memory: what is asked before it, what was answered after it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.attr import LAYOUTS, LINK_CREATE_LAYOUTS
from bpflab.abi.attr_memory import ANSWERED, LINK_TAIL_OF, Form, Way, info_pointers, link_pointers, pointers_of
from bpflab.abi.commands import Command
from bpflab.abi.flags import UpdateFlag
from bpflab.abi.insn import INSN_SIZE
from bpflab.abi.map_rules import RULES
from bpflab.backend import process_memory
from bpflab.backend.journal_entry import Ask, Reply
from bpflab.backend.referred import referred_descriptors

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Iterable, Mapping

    from bpflab.abi.attr_memory import Pointer
    from bpflab.abi.layout import Layout
    from bpflab.backend.journal_entry import FieldValue, Opened

TOKEN_SIZE: Final = 4
TEXT_LIMIT: Final = 4096
ADDRESS_SIZE: Final = 8
NO_FIELDS: Final[frozenset[str]] = frozenset()
MAP_FACTORS: Final = frozenset({"key", "value", "mark"})


@dataclass(frozen=True, slots=True)
class Frame:
    """A struct in memory: its layout, where it is, how many bytes of it there are, what it points to."""

    prefix: str
    layout: Layout
    address: int
    size: int
    buffers: tuple[Pointer, ...]

    def fields(self) -> dict[str, FieldValue]:
        """Read the fields."""
        data = process_memory.read(self.address, min(self.size, self.layout.size))
        return self.layout.unpack(data or b"")

    def masked(self) -> bytes:
        """Read the whole struct, with its pointers as zeros."""
        data = bytearray(process_memory.read(self.address, self.size) or b"")
        for buffer in self.buffers:
            at = self.layout.field(buffer.name).offset
            if at + ADDRESS_SIZE <= len(data):
                data[at : at + ADDRESS_SIZE] = bytes(ADDRESS_SIZE)
        return bytes(data)


@dataclass(frozen=True, slots=True)
class Place:
    """A buffer that a struct points to: its name, its address, its room in bytes, and what it held before the call."""

    name: str
    buffer: Pointer
    frame: Frame
    address: int
    room: int
    before: bytes | None


@dataclass(slots=True)
class Asked:
    """A call that was read, and where its answer will be found."""

    ask: Ask
    frame: Frame
    places: list[Place] = field(default_factory=list)
    nested: Frame | None = None
    before: Mapping[str, FieldValue] = field(default_factory=dict)


class Capturer:
    """Reads calls. `opened` says what descriptors stand for; `cpus` how many values a per-CPU map's calls move."""

    def __init__(self, opened: Mapping[int, Opened], cpus: int) -> None:
        self.opened = opened
        self.cpus = cpus

    def asked(self, command: int, address: int, size: int) -> Asked:
        """Read a call before it is made."""
        if command not in LAYOUTS or not process_memory.is_address(address):
            raw = process_memory.read(address, size) or b""
            return Asked(Ask(command, size, rest=raw), Frame("", LAYOUTS[Command.MAP_FREEZE], 0, 0, ()))
        known = Command(command)
        frame = self._frame(known, address, size)
        fields = frame.fields()
        whole = process_memory.read(address, size) or b""
        asked = Asked(Ask(command, size, rest=whole[frame.layout.size :]), frame, before=fields)
        self._look(asked, frame, fields)
        plain = dict(_plain(known, frame, fields))
        self._look_inside(asked, known, fields)
        inputs = {place.name: place.before for place in asked.places if _is_read(place) and place.before is not None}
        rooms = {place.name: place.room for place in asked.places if place.buffer.writes}
        asked.ask = Ask(command, size, plain, inputs, rooms, asked.ask.rest)
        return asked

    def replied(self, asked: Asked, result: int, errno: int) -> Reply:
        """Read what a call wrote."""
        after = asked.frame.fields()
        pointers = {buffer.name for buffer in asked.frame.buffers}
        answered = ANSWERED.get(Command(asked.ask.command), NO_FIELDS) if after else NO_FIELDS
        changed = {
            name: value
            for name, value in after.items()
            if name not in pointers and (value != asked.before.get(name) or (value and name in answered))
        }
        outputs = {}
        for place in asked.places:
            if place.buffer.writes:
                fields = after if place.frame is asked.frame else place.frame.fields()
                data = self._written(asked, place, fields, succeeded=result >= 0)
                if data is not None:
                    outputs[place.name] = data
        return Reply(result, errno, changed, outputs)

    def _frame(self, command: Command, address: int, size: int) -> Frame:
        layout = LAYOUTS[command]
        attr = Frame("", layout, address, size, ())
        fields = attr.fields()
        if command is Command.LINK_CREATE:
            tail = LINK_TAIL_OF.get(_attach_type(fields), "relative")
            return Frame("", LINK_CREATE_LAYOUTS[tail], address, size, link_pointers(tail))
        target = self.opened.get(_number(fields, "map_fd"))
        return Frame("", layout, address, size, pointers_of(command, target.map_type if target else None))

    def _look(self, asked: Asked, frame: Frame, fields: Mapping[str, FieldValue]) -> None:
        for buffer in frame.buffers:
            address = _number(fields, buffer.name)
            if process_memory.is_address(address):
                room = self._size(buffer, fields)
                before = _contents(buffer, address, room)
                asked.places.append(Place(frame.prefix + buffer.name, buffer, frame, address, room, before))

    def _look_inside(self, asked: Asked, command: Command, fields: Mapping[str, FieldValue]) -> None:
        """Look at what an info buffer points to."""
        target = self.opened.get(_number(fields, "bpf_fd"))
        if command is not Command.OBJ_GET_INFO_BY_FD or target is None or not asked.places:
            return
        outer = asked.places[0]
        layout, buffers = info_pointers(target.kind)
        frame = Frame("info.", layout, outer.address, outer.room, buffers)
        asked.nested = frame
        asked.places[0] = Place(outer.name, outer.buffer, outer.frame, outer.address, outer.room, frame.masked())
        self._look(asked, frame, frame.fields())

    def _size(self, buffer: Pointer, fields: Mapping[str, FieldValue]) -> int:
        if buffer.form is Form.DESCRIPTORS and not _number(fields, "fd_array_cnt"):
            insns = process_memory.read(_number(fields, "insns"), _number(fields, "insn_cnt") * INSN_SIZE)
            return referred_descriptors(insns or b"") * 4
        return math.prod(self._factor(factor, fields) for factor in buffer.factors)

    def _factor(self, factor: str, fields: Mapping[str, FieldValue]) -> int:
        if factor.isdigit():
            return int(factor)
        if factor not in MAP_FACTORS:
            return _number(fields, factor)
        target = self.opened.get(_number(fields, "map_fd"))
        if target is None:
            return 0
        if factor == "key":
            return target.key_size
        if factor == "mark":
            return max(TOKEN_SIZE, target.key_size)
        return value_stride(target, self.cpus, _number(fields, "flags") | _number(fields, "elem_flags"))

    def _written(
        self, asked: Asked, place: Place, fields: Mapping[str, FieldValue], *, succeeded: bool
    ) -> bytes | None:
        room = min(place.room, self._size(place.buffer, fields))
        if place.name == "info" and asked.nested:
            data: bytes | None = asked.nested.masked()[:room]
        else:
            data = _contents(place.buffer, place.address, room)
        unchanged = data is None or data == (place.before or b"")[: len(data)]
        if data is None or (unchanged and not (succeeded and place.buffer.way is Way.WRITTEN)):
            return None
        return data


def value_stride(target: Opened, cpus: int, flags: int = 0) -> int:
    """Return how many bytes one value takes in a system call (kernel/bpf/syscall.c, bpf_map_value_size)."""
    rule = RULES.get(target.map_type) if target.map_type is not None else None
    if rule is None or not rule.per_cpu or flags & (UpdateFlag.CPU | UpdateFlag.ALL_CPUS):
        return target.value_size
    return (target.value_size + -target.value_size % 8) * cpus


def _plain(command: Command, frame: Frame, fields: Mapping[str, FieldValue]) -> Iterable[tuple[str, FieldValue]]:
    """Yield the fields that say something: not zero, not an address, not the kernel's to write."""
    answered = ANSWERED.get(command, NO_FIELDS)
    pointers = {buffer.name for buffer in frame.buffers}
    for name, value in fields.items():
        if not value or name in answered:
            continue
        given = value.rstrip(b"\0") if isinstance(value, bytes) else value
        if given and not (name in pointers and process_memory.is_address(_number(fields, name))):
            yield name, given


def _contents(buffer: Pointer, address: int, room: int) -> bytes | None:
    if buffer.form is Form.TEXT:
        return process_memory.read_text(address, room)
    if buffer.form is Form.TEXTS:
        return _texts(address, room)
    return process_memory.read(address, room)


def _texts(address: int, room: int) -> bytes | None:
    table = process_memory.read(address, room)
    texts = [process_memory.read_text(each, TEXT_LIMIT) for each in memoryview(table or b"").cast("Q")]
    return b"".join(text or b"\0" for text in texts)


def _is_read(place: Place) -> bool:
    return place.buffer.reads


def _attach_type(fields: Mapping[str, FieldValue]) -> AttachType:
    try:
        return AttachType(_number(fields, "attach_type"))
    except ValueError:
        return AttachType(0)


def _number(fields: Mapping[str, FieldValue], name: str) -> int:
    value = fields.get(name, 0)
    return value if isinstance(value, int) else 0


def address_of(attr: ctypes.c_void_p) -> int:
    """Return the address of an attr."""
    return attr.value or 0
