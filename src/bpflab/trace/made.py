"""Calls as they were made: attr and buffers in bytes, which are read once somebody wants to make them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.backend.journal_entry import Ask, Call, Reply

if TYPE_CHECKING:
    from bpflab.backend.journal_entry import FieldValue

RUN: Final = LAYOUTS[Command.PROG_TEST_RUN]
POINTERS: Final = {
    Command.PROG_TEST_RUN: ("data_in", "data_out", "ctx_in", "ctx_out"),
    Command.MAP_UPDATE_ELEM: ("key", "value"),
    Command.MAP_DELETE_ELEM: ("key",),
    Command.MAP_UPDATE_BATCH: ("in_batch", "out_batch", "keys", "values"),
    Command.MAP_DELETE_BATCH: ("in_batch", "out_batch", "keys", "values"),
}
RUN_OUTPUTS: Final = frozenset({"retval", "duration"})


@dataclass(frozen=True, slots=True)
class Moment:
    """What a simulated kernel had around a run: the time, the CPU, the place in its random numbers."""

    clock: tuple[int, int]
    cpu: int
    chance: object
    raced: bool = False
    """Whether other runs went on at the same time, on other CPUs."""


@dataclass(slots=True)  # not frozen: one is made of every call, and that would take twice as long
class Made:
    """A call as it was made: its attr, the buffers that it reads by the names of their pointers, what was answered."""

    command: Command
    attr: bytes
    inputs: dict[str, bytes]
    errno: int

    def entry(self) -> Call:
        """Return it as a journal has it."""
        layout, pointers = LAYOUTS[self.command], POINTERS[self.command]
        attr = self.attr.ljust(layout.size, b"\0")
        fields: dict[str, FieldValue] = {}
        for field in layout.fields:
            value = layout.get(attr, field.name)
            if value and field.name not in pointers and field.name not in RUN_OUTPUTS:
                fields[field.name] = value
        ask = Ask(self.command, len(self.attr), fields, self.inputs, self._rooms(attr), self.attr[layout.size :])
        return Call(ask, Reply(-1 if self.errno else 0, self.errno))

    def _rooms(self, attr: bytes) -> dict[str, int]:
        if self.command != Command.PROG_TEST_RUN:
            return {}
        return {name: RUN.get(attr, f"{name[:-4]}_size_out") for name in ("data_out", "ctx_out") if RUN.get(attr, name)}


@dataclass(slots=True)
class MadeRun(Made):
    """A run of a program: what it answered, and what was around it on a simulated kernel."""

    retval: int
    output: bytes
    ctx_output: bytes
    moment: Moment | None
    stopped: bool = False
    """Whether the simulator stopped it for an unsafe act."""

    @property
    def packet(self) -> bytes:
        """The packet that went in."""
        return self.inputs.get("data_in", b"")
