"""A journal played on another backend: the same calls in the same order, with that backend's descriptors."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from bpflab.abi.attr_descriptors import GIVES, ID_KINDS
from bpflab.abi.attr_memory import VARYING, ObjectKind
from bpflab.abi.commands import Command
from bpflab.backend.capture import Capturer
from bpflab.backend.journal_entry import Call, Memory, Reply, Side
from bpflab.backend.object_ids import object_ids
from bpflab.backend.rebuild import Rebuilt
from bpflab.backend.translate import GIVE_DESCRIPTORS, translated, translated_side
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.backend.base import Backend, MappedMemory
    from bpflab.backend.journal import Journal
    from bpflab.backend.journal_entry import Ask, Entry, Machine, Opened


@dataclass(frozen=True, slots=True)
class Played:
    """An entry, and what it became on the backend it was played on.

    `reply` is the answer to a call of bpf(2); `errno` that of a call beside it. Both are None and 0 for memory.
    """

    entry: Entry
    reply: Reply | None = None
    errno: int = 0

    def differences(self) -> list[str]:
        """Name what was answered otherwise, without what varies with the machine: times, ids, logs, descriptors."""
        if isinstance(self.entry, Side):
            return ["errno"] if self.errno != self.entry.errno else []
        if not isinstance(self.entry, Call) or self.reply is None:
            return []
        return list(reply_differences(self.entry.ask, self.entry.reply, self.reply))


@dataclass(slots=True)
class Player:
    """Plays entries one after the other; `close` closes what it opened.

    Attributes: `descriptors` and `ids` turn the journal's numbers into the backend's, `regions` are the mappings in
    order, None where mmap was refused or the region was too large to record.
    """

    backend: Backend
    machine: Machine
    descriptors: dict[int, int] = field(default_factory=dict)
    ids: dict[tuple[ObjectKind, int], int] = field(default_factory=dict)
    regions: list[MappedMemory | None] = field(default_factory=list)
    _opened: dict[int, Opened] = field(default_factory=dict)
    _live: dict[int, Opened] = field(default_factory=dict)
    _mounts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.machine.possible_cpus != self.backend.possible_cpus:
            raise ArgumentError(
                f"The journal is of a machine with {self.machine.possible_cpus} possible CPUs; the backend "
                f"{self.backend.name!r} has {self.backend.possible_cpus}, and per-CPU values would not fit. Play it on "
                f"SimBackend(Machine(possible_cpus={self.machine.possible_cpus}))."
            )
        if self.machine.byteorder != self.backend.byteorder:
            raise ArgumentError(
                f"The journal is of a {self.machine.byteorder}-endian machine; {self.backend.name!r} is "
                f"{self.backend.byteorder}-endian."
            )

    def play(self, entry: Entry) -> Played:
        """Play one entry."""
        if isinstance(entry, Call):
            return self._call(entry)
        if isinstance(entry, Side):
            return self._beside(entry)
        if not entry.by_kernel:
            self._write(entry)
        return Played(entry)

    def close(self) -> None:
        """Unmap and close what is still open; the backend stays its owner's."""
        for region in self.regions:
            if region is not None:
                region.close()
        self.regions.clear()
        for fd in self.descriptors.values():
            self.backend.close(fd)
        self.descriptors.clear()

    def _call(self, call: Call) -> Played:
        ask = self._own(call.ask)
        rebuilt = Rebuilt(ask, self._live)
        capturer = Capturer(self._live, self.backend.possible_cpus)
        asked = capturer.asked(ask.command, rebuilt.address, ask.size)
        result = self.backend.bpf(ask.command, ctypes.c_void_p(rebuilt.address), ask.size)
        reply = capturer.replied(asked, result, self.backend.errno() if result < 0 else 0)
        self._learn(call, reply)
        return Played(call, reply)

    def _own(self, ask: Ask) -> Ask:
        """Return the call with the descriptors, object ids and pins of this backend."""
        own = translated(ask, self._descriptor, self._opened)
        fields, inputs = dict(own.fields), dict(own.inputs)
        kind = ID_KINDS.get(Command(ask.command)) if ask.command in list(Command) else None
        if kind is not None and "start_id" in fields:
            given = int(fields["start_id"])
            fields["start_id"] = self.ids.get((kind, given), given)
        if "pathname" in inputs:
            inputs["pathname"] = self._path(inputs["pathname"].decode(errors="surrogateescape")).encode(
                errors="surrogateescape"
            )
        return replace(own, fields=fields, inputs=inputs)

    def _descriptor(self, fd: int) -> int:
        return self.descriptors.get(fd, fd)

    def _path(self, path: str) -> str:
        for recorded, own in self._mounts.items():
            if path.startswith(recorded):
                return own + path.removeprefix(recorded)
        return path

    def _learn(self, call: Call, reply: Reply) -> None:
        if call.ask.command in GIVES and reply.result >= 0:
            if call.reply.result < 0 or call.opened is None:
                self.backend.close(reply.result)
                return
            self._gave(call.reply.result, reply.result, call.opened)
        target = self._opened.get(int(call.ask.fields.get("bpf_fd", 0)))
        if call.ask.command == Command.OBJ_GET_INFO_BY_FD and target:
            self.ids.update(object_ids(target.kind, call.reply, reply))

    def _gave(self, recorded: int, own: int, opened: Opened) -> None:
        self.descriptors[recorded], self._opened[recorded], self._live[own] = own, opened, opened

    def _beside(self, side: Side) -> Played:
        own = translated_side(side, self._descriptor)
        try:
            result = self._perform(own)
        except OSError as error:
            self._mapped(side, None)
            return Played(side, errno=error.errno or 0)
        self._mapped(side, result)
        if side.name == "close":
            self.descriptors.pop(int(str(side.arguments["fd"])), None)
        elif side.name in GIVE_DESCRIPTORS:
            self._given(side, int(str(result)))
        elif side.name == "mount_bpf_fs":
            self._mounts[str(side.result)] = str(result)
        return Played(side)

    def _given(self, side: Side, result: int) -> None:
        recorded = int(str(side.result))
        self.descriptors[recorded] = result
        source = self._opened.get(int(str(side.arguments.get("fd", -1))))
        if source:
            self._gave(recorded, result, source)

    def _perform(self, side: Side) -> object:
        given = dict(side.arguments)
        if side.name == "poll":
            given["timeout"] = 0.0  # what was ready then is ready now, or never will be
        if side.name == "unlink":
            given["path"] = self._path(str(given["path"]))
        result: object = getattr(self.backend, side.name)(**given)
        return result

    def _mapped(self, side: Side, result: object) -> None:
        if side.name == "mmap" and not side.errno:
            self.regions.append(cast("MappedMemory | None", result))

    def _write(self, memory: Memory) -> None:
        region = self.regions[memory.region]
        if region is None:
            return
        with memoryview(region) as view:
            for offset, data in memory.changes:
                view[offset : offset + len(data)] = data


def play(journal: Journal, backend: Backend, until: int | None = None) -> Iterator[Played]:
    """Play a journal on a backend, and yield each entry with what became of it.

    `until` is the index in `entries` before which to stop. What was opened is closed when the iterator ends or is
    closed. ArgumentError when the backend's machine has another number of CPUs or byte order.
    """
    player = Player(backend, journal.machine)
    try:
        for entry in journal.entries[:until]:
            yield player.play(entry)
    finally:
        player.close()


def reply_differences(ask: Ask, recorded: Reply, played: Reply) -> Iterator[str]:
    """Name the parts of two answers to one call that differ, of those that do not vary from machine to machine."""
    gives = ask.command in GIVES
    same = (recorded.result < 0) == (played.result < 0) if gives else recorded.result == played.result
    if not same:
        yield "result"
    if recorded.errno != played.errno:
        yield "errno"
    for name in sorted((recorded.fields.keys() | played.fields.keys()) - VARYING):
        if recorded.fields.get(name, 0) != played.fields.get(name, 0):
            yield name
    for name, data in recorded.outputs.items():
        if name not in VARYING and not name.startswith("info.") and played.outputs.get(name) != data:
            yield name
