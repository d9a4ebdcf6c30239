"""Where a test asks something else than its cassette has: the first difference, in words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command
from bpflab.abi.insn import INSN_SIZE
from bpflab.backend.journal_entry import Call, Side
from bpflab.cassettes.decode import instructions
from bpflab.errors import BpfError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.backend.journal_entry import Ask, Entry

SHOWN: Final = 16
"""Bytes that are shown of a buffer, from where it differs."""


class ReplayError(BpfError):
    """A test asked something else than it did when its cassette was recorded."""


def name_of(entry: Entry) -> str:
    """Name the call of an entry."""
    if isinstance(entry, Side):
        return entry.name
    if not isinstance(entry, Call):
        return f"a change of mapped memory {entry.region}"
    return command_name(entry.ask.command)


def command_name(command: int) -> str:
    """Name a command of bpf(2)."""
    return Command(command).name if command in list(Command) else f"bpf command {command}"


def ask_difference(recorded: Ask, asked: Ask) -> str:
    """Say where two calls of one command differ first; empty where they do not."""
    if recorded.size != asked.size:
        return f"the attr has {asked.size} bytes, and {recorded.size} in the cassette"
    for told in (
        values_difference(recorded.fields, asked.fields, 0),
        _buffers_difference(recorded.inputs, asked.inputs),
        values_difference(recorded.rooms, asked.rooms, None, "the room of "),
    ):
        if told:
            return told
    return bytes_difference("the attr's rest", recorded.rest, asked.rest)


def values_difference(
    recorded: Mapping[str, object], asked: Mapping[str, object], missing: object, what: str = ""
) -> str:
    """Say which value differs first, by name; empty where none does."""
    for name in [*recorded, *(asked.keys() - recorded.keys())]:
        old, new = recorded.get(name, missing), asked.get(name, missing)
        if old != new:
            return f"{what}{name} is {shown(new)}, and {shown(old)} in the cassette"
    return ""


def shown(value: object) -> str:
    """Show a value: bytes of a name as text."""
    if isinstance(value, bytes):
        return repr(value.decode("ascii", errors="backslashreplace"))
    return "missing" if value is None else repr(value)


def bytes_difference(name: str, old: bytes, new: bytes) -> str:
    """Say where two buffers differ first; empty where they do not."""
    if old == new:
        return ""
    if len(old) != len(new):
        return f"{name} has {len(new)} bytes, and {len(old)} in the cassette"
    at = next(index for index in range(len(old)) if old[index] != new[index])
    if name == "insns":
        start = at - at % INSN_SIZE
        number = start // INSN_SIZE
        old_text, new_text = (list(instructions(code))[number] or code[at:].hex()[:16] for code in (old, new))
        return f"instruction {number} is `{new_text}`, and `{old_text}` in the cassette"
    if len(old) <= SHOWN:
        return f"{name} is {_small(new)}, and {_small(old)} in the cassette"
    old_text, new_text = old[at : at + SHOWN].hex(" "), new[at : at + SHOWN].hex(" ")
    return f"{name} differs from byte {at} on: it is {new_text}, and {old_text} in the cassette"


def _small(data: bytes) -> str:
    number = f" ({int.from_bytes(data, sys.byteorder)})" if len(data) in {1, 2, 4, 8} else ""
    return f"{data.hex(' ')}{number}"


def _buffers_difference(recorded: Mapping[str, bytes], asked: Mapping[str, bytes]) -> str:
    for name in [*recorded, *(asked.keys() - recorded.keys())]:
        if name not in asked:
            return f"{name} is a null pointer, and {len(recorded[name])} bytes in the cassette"
        if name not in recorded:
            return f"{name} is {len(asked[name])} bytes, and a null pointer in the cassette"
        told = bytes_difference(name, recorded[name], asked[name])
        if told:
            return told
    return ""
