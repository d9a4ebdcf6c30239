"""A recorded call with other descriptors: in its fields, in its instructions, in the values of maps."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr_descriptors import DESCRIPTOR_FIELDS, DESCRIPTOR_VALUES, INTERFACE_TARGETS
from bpflab.abi.attr_memory import Form, pointers_of
from bpflab.abi.commands import Command
from bpflab.abi.insn import INSN_SIZE, LD_IMM64, WideSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bpflab.backend.journal_entry import Ask, FieldValue, Opened, Side

DESCRIPTOR_SIZE: Final = 4
WRITES_VALUES: Final = frozenset({Command.MAP_UPDATE_ELEM, Command.MAP_UPDATE_BATCH})
PERF_EVENT_IOC_SET_BPF: Final = 0x40042408
PERF_EVENT_IOC_SET_OUTPUT: Final = 0x2405

SIDE_DESCRIPTORS: Final[Mapping[str, tuple[str, ...]]] = {
    "close": ("fd",),
    "dup": ("fd",),
    "mmap": ("fd",),
    "poll": ("fds",),
    "perf_event_open": ("group_fd",),
    "ioctl": ("fd",),
}
"""The arguments of the calls beside bpf(2) that are descriptors."""
ARGUMENT_IS_DESCRIPTOR: Final = frozenset({PERF_EVENT_IOC_SET_BPF, PERF_EVENT_IOC_SET_OUTPUT})
"""Requests of ioctl(2) whose argument is a descriptor (linux/perf_event.h)."""
GIVE_DESCRIPTORS: Final = frozenset({"dup", "perf_event_open"})
"""The calls beside bpf(2) whose result is a new descriptor."""


def translated(ask: Ask, renumber: Callable[[int], int], opened: Mapping[int, Opened]) -> Ask:
    """Return the call with each descriptor passed through `renumber`; `opened` speaks of those in the call as it is."""
    if ask.command not in list(Command):
        return ask
    command = Command(ask.command)
    value = _written_value(command, ask, opened)
    inputs = {name: _input(command, name, data, renumber, value) for name, data in ask.inputs.items()}
    return replace(ask, fields=_fields(command, ask.fields, renumber), inputs=inputs)


def translated_side(side: Side, renumber: Callable[[int], int]) -> Side:
    """Return a call beside bpf(2) with each descriptor among its arguments passed through `renumber`."""
    arguments = dict(side.arguments)
    for name in SIDE_DESCRIPTORS.get(side.name, ()):
        arguments[name] = _renumbered(arguments[name], renumber)
    if side.name == "ioctl" and arguments["request"] in ARGUMENT_IS_DESCRIPTOR:
        arguments["argument"] = _renumbered(arguments["argument"], renumber)
    result = side.result
    if side.name in GIVE_DESCRIPTORS or side.name == "poll":
        result = _renumbered(result, renumber)
    return replace(side, arguments=arguments, result=result)


def renumbered_insns(insns: bytes, renumber: Callable[[int], int]) -> bytes:
    """Return instructions with each map's descriptor in a 64-bit immediate passed through `renumber`."""
    code = bytearray(insns)
    for at in range(0, len(code) - INSN_SIZE + 1, INSN_SIZE):
        source = code[at + 1] >> 4 if sys.byteorder == "little" else code[at + 1] & 15
        if code[at] == LD_IMM64 and source in {WideSource.MAP_FD, WideSource.MAP_VALUE}:
            _renumber_at(code, at + 4, renumber)
    return bytes(code)


def _fields(
    command: Command, fields: Mapping[str, FieldValue], renumber: Callable[[int], int]
) -> dict[str, FieldValue]:
    changed = dict(fields)
    for name in DESCRIPTOR_FIELDS.get(command, ()):
        value = changed.get(name)
        if isinstance(value, int) and not (name == "target_fd" and fields.get("attach_type") in INTERFACE_TARGETS):
            changed[name] = renumber(value)
    return changed


def _written_value(command: Command, ask: Ask, opened: Mapping[int, Opened]) -> tuple[int, int] | None:
    """Return the size of the values that a call writes, and where in each a descriptor stands; None without one."""
    target = opened.get(int(ask.fields.get("map_fd", 0))) if command in WRITES_VALUES else None
    at = DESCRIPTOR_VALUES.get(target.map_type) if target and target.map_type is not None else None
    return None if target is None or at is None else (target.value_size, at)


def _input(
    command: Command, name: str, data: bytes, renumber: Callable[[int], int], value: tuple[int, int] | None
) -> bytes:
    if command is Command.PROG_LOAD and name == "insns":
        return renumbered_insns(data, renumber)
    if name == "iter_info":
        return _renumbered_every(data, len(data), 0, renumber)
    if any(each.form is Form.DESCRIPTORS for each in pointers_of(command) if each.name == name):
        return _renumbered_every(data, DESCRIPTOR_SIZE, 0, renumber)
    if value is not None and name in {"value", "values"}:
        return _renumbered_every(data, *value, renumber)
    return data


def _renumbered_every(data: bytes, stride: int, at: int, renumber: Callable[[int], int]) -> bytes:
    changed = bytearray(data)
    places: Iterable[int] = range(at, len(data) - DESCRIPTOR_SIZE + 1, stride) if stride > at else ()
    for place in places:
        _renumber_at(changed, place, renumber)
    return bytes(changed)


def _renumber_at(data: bytearray, at: int, renumber: Callable[[int], int]) -> None:
    old = int.from_bytes(data[at : at + DESCRIPTOR_SIZE], sys.byteorder, signed=True)
    data[at : at + DESCRIPTOR_SIZE] = renumber(old).to_bytes(DESCRIPTOR_SIZE, sys.byteorder, signed=True)


def _renumbered(value: object, renumber: Callable[[int], int]) -> object:
    if isinstance(value, list):
        return [renumber(each) for each in value]
    return renumber(value) if isinstance(value, int) else value
