"""PROG_LOAD as coverage sees it: what is in the attr, and the attr of the same program with probes in it."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.insn import INSN_SIZE
from bpflab.asm.insn import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.asm.insn import Insn
    from bpflab.coverage.rewrite import Rewritten

LOAD: Final = LAYOUTS[Command.PROG_LOAD]
_U32: Final = struct.Struct("=I")
_RECORDS: Final = (
    ("func_info", "func_info_cnt", "func_info_rec_size", 1),
    ("line_info", "line_info_cnt", "line_info_rec_size", 1),
    ("core_relos", "core_relo_cnt", "core_relo_rec_size", INSN_SIZE),
)
"""Fields of records that begin with an instruction: address, number, size of one, and what one slot counts there
(linux/bpf.h: struct bpf_func_info, bpf_line_info, bpf_core_relo)."""
NO_LOG: Final = {"log_level": 0, "log_size": 0, "log_buf": 0}


@dataclass(slots=True)
class LoadAttr:
    """The attr of a PROG_LOAD, copied, with the buffers that it points to kept alive."""

    data: bytearray
    kept: list[object] = field(default_factory=list)

    @classmethod
    def read(cls, pointer: ctypes.c_void_p, size: int) -> LoadAttr:
        """Copy an attr from its address."""
        return cls(bytearray(ctypes.string_at(pointer, size)))

    def __getitem__(self, name: str) -> int:
        """Read a field; 0 where the attr ends before it."""
        place = LOAD.field(name)
        return LOAD.get(self.data, name) if place.offset + place.size <= len(self.data) else 0

    def __setitem__(self, name: str, value: int) -> None:
        LOAD.set(self.data, name, value)

    @property
    def name(self) -> str:
        """The program's name."""
        place = LOAD.field("prog_name")
        return bytes(self.data[place.offset : place.offset + place.size]).split(b"\0")[0].decode(errors="replace")

    @property
    def insns(self) -> tuple[Insn, ...]:
        """The instructions."""
        return tuple(decode(_copy(self["insns"], self["insn_cnt"] * INSN_SIZE)))

    def records(self, name: str) -> list[bytes]:
        """Return the records of a field of `func_info`, `line_info`, `core_relos`."""
        _, count, size, _ = next(each for each in _RECORDS if each[0] == name)
        data = _copy(self[name], self[count] * self[size])
        return [data[at : at + self[size]] for at in range(0, len(data), self[size] or 1)]

    def changed(self, rewritten: Rewritten, map_fd: int, **fields: int) -> LoadAttr:
        """Return the attr of the program with probes that store into the map of that descriptor."""
        other = LoadAttr(bytearray(self.data))
        insns = list(rewritten.insns)
        for slot in rewritten.references:
            insns[slot] = replace(insns[slot], imm=map_fd)
        other._point("insns", encode(insns))
        other["insn_cnt"] = len(insns)
        for name, _, _, unit in _RECORDS:
            moved = [_moved(record, rewritten.places, unit) for record in self.records(name)]
            if moved:
                other._point(name, b"".join(moved))
        return other.with_fields(**fields)

    def with_fields(self, **fields: int) -> LoadAttr:
        """Return a copy with other values in some fields."""
        other = LoadAttr(bytearray(self.data), list(self.kept))
        for name, value in fields.items():
            other[name] = value
        return other

    def send(self, call: Callable[[int, ctypes.c_void_p, int], int]) -> int:
        """Send it."""
        buffer = (ctypes.c_char * len(self.data)).from_buffer(self.data)
        return call(Command.PROG_LOAD, ctypes.c_void_p(ctypes.addressof(buffer)), len(self.data))

    def _point(self, name: str, content: bytes) -> None:
        buffer = ctypes.create_string_buffer(content, len(content))
        self.kept.append(buffer)
        self[name] = ctypes.addressof(buffer)


def _moved(record: bytes, places: dict[int, int], unit: int) -> bytes:
    slot = _U32.unpack_from(record)[0] // unit
    return _U32.pack(places.get(slot, slot) * unit) + record[_U32.size :]


def _copy(address: int, size: int) -> bytes:
    return ctypes.string_at(address, size) if address and size else b""
