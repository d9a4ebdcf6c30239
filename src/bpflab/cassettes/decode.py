"""What is known of a call's fields and buffers, in words: the comments of a cassette."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.insn import INSN_SIZE, LD_IMM64
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from enum import IntEnum, IntFlag

    from bpflab.backend.journal_entry import Ask, Call

ENUMS: Final[Mapping[str, type[IntEnum | IntFlag]]] = {
    "map_type": MapType,
    "prog_type": ProgType,
    "attach_type": AttachType,
    "expected_attach_type": AttachType,
    "map_flags": MapFlag,
}
NAMES: Final = ("map_name", "prog_name")
INTEGERS: Final = frozenset({1, 2, 4, 8})


class Describer:
    """Says in a few words what numbers and bytes stand for. It remembers the names behind descriptors."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._types: dict[int, ProgType] = {}

    def learn(self, call: Call) -> None:
        """Remember what a call gave."""
        name = next((call.ask.fields[each] for each in NAMES if each in call.ask.fields), b"")
        if call.opened and call.reply.result >= 0:
            text = name.decode(errors="replace") if isinstance(name, bytes) else ""
            self._names[call.reply.result] = f"{call.opened.kind} {text}".strip()
        if call.ask.command == Command.PROG_LOAD:
            self._types[call.reply.result] = ProgType(int(call.ask.fields.get("prog_type", 0)))

    def field(self, name: str, value: object) -> str:
        """Describe a field that was asked."""
        if name in ENUMS and isinstance(value, int):
            return _member(ENUMS[name], value)
        if name.endswith("fd") and isinstance(value, int):
            return self._names.get(value, "")
        return ""

    def answer(self, ask: Ask, name: str, value: object) -> str:
        """Describe a field that was answered."""
        if name == "retval" and isinstance(value, int):
            prog_type = self._types.get(int(ask.fields.get("prog_fd", -1)))
            verdict = None if prog_type is None else verdict_of(prog_type, value)
            return "" if verdict is None else f"{type(verdict).__name__}.{verdict.name}"
        return ""

    def buffer(self, name: str, data: bytes) -> list[str]:
        """Describe a buffer: a note for each row of instructions, one for an integer or a text."""
        if name == "insns":
            return list(instructions(data))
        if name in {"key", "value", "next_key"} and len(data) in INTEGERS:
            return [str(int.from_bytes(data, sys.byteorder))]
        text = data.removesuffix(b"\0").decode("ascii", errors="replace")
        return [repr(text)] if text and data.endswith(b"\0") and text.isprintable() and text.isascii() else []


def instructions(data: bytes) -> Iterator[str]:
    """Yield the text of each instruction, a wide one's second half as nothing."""
    from bpflab.asm.disassembler import disassemble
    from bpflab.errors import BpfError

    at = 0
    while at < len(data):
        size = 2 * INSN_SIZE if data[at] == LD_IMM64 else INSN_SIZE
        try:
            lines = str(disassemble(data[at : at + size])).splitlines()
        except BpfError:
            lines = []
        yield lines[0].strip() if lines else ""
        if size > INSN_SIZE:
            yield ""
        at += size


def _member(kind: type[IntEnum | IntFlag], value: int) -> str:
    try:
        member = kind(value)
    except ValueError:
        return ""
    return member.name or ""
