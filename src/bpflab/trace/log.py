"""A log of calls that is cheap to keep and dear to read: for a run that may have to be made again.

Calls that tests make again and again are kept as they were made, attr and buffers; reading them waits until somebody
wants to. Everything else, and everything while writable memory is mapped, is recorded by the journal at once.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.backend.base import simulated
from bpflab.backend.capture import value_stride
from bpflab.backend.journal import Journal, JournalBackend
from bpflab.backend.journal_entry import Ask, Call, Reply
from bpflab.backend.process_memory import read
from bpflab.errors import FaultError

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    from bpflab.backend.base import Backend, MappedMemory
    from bpflab.backend.journal_entry import Entry, FieldValue
    from bpflab.sim.backend import SimBackend
    from bpflab.trace.model import Trace
    from bpflab.trace.recorder import Recorder

RUN: Final = LAYOUTS[Command.PROG_TEST_RUN]
KEPT_TRACES: Final = 5
"""Traces that are kept of runs that are traced as they are made."""
MOST_ENTRIES: Final = 50_000
"""A longer log is given up: it would take more memory, and more time to play, than its trace is worth."""
NEUTRAL: Final = frozenset(
    {Command.MAP_LOOKUP_ELEM, Command.MAP_GET_NEXT_KEY, Command.MAP_LOOKUP_BATCH, Command.OBJ_GET_INFO_BY_FD}
)
"""Commands that change nothing that a program sees (but for the order of an LRU map), and are not kept."""
ELEMENTS: Final = {
    Command.MAP_UPDATE_ELEM: ("key", "value"),
    Command.MAP_DELETE_ELEM: ("key",),
    Command.MAP_UPDATE_BATCH: ("keys", "values"),
    Command.MAP_DELETE_BATCH: ("keys",),
}
"""Commands on elements that are kept as they were made, and the pointers that they read."""
POINTERS: Final = {
    Command.PROG_TEST_RUN: ("data_in", "data_out", "ctx_in", "ctx_out"),
    Command.MAP_UPDATE_ELEM: ("key", "value"),
    Command.MAP_DELETE_ELEM: ("key",),
    Command.MAP_UPDATE_BATCH: ("in_batch", "out_batch", "keys", "values"),
    Command.MAP_DELETE_BATCH: ("in_batch", "out_batch", "keys", "values"),
}
FIELDS: Final = struct.Struct("=" + "".join(field.format for field in RUN.fields[:12]))
"""The fields of a run's attr up to ctx_out, which follow on each other without gaps (linux/bpf.h)."""
RUN_OUTPUTS: Final = frozenset({"retval", "duration"})


@dataclass(frozen=True, slots=True)
class Moment:
    """What a simulated kernel had around a run: the time, the CPU, the place in its random numbers."""

    clock: tuple[int, int]
    cpu: int
    chance: object


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


class CallLog(JournalBackend):
    """Keeps the calls of a backend, to play them again: `log` in order, None once it became too long.

    With `live`, runs on the simulator are traced as they are made, which takes several times as long as running them.
    """

    def __init__(self, inner: Backend, *, live: bool = False) -> None:
        super().__init__(inner)
        self.log: list[Entry | Made] | None = []
        self._count = 0
        self._traces: deque[tuple[int, Trace]] = deque(maxlen=KEPT_TRACES)
        self._sim = simulated(inner)
        self.simulator = _simulator(inner)
        self._chance: tuple[int, object] = (-1, None)
        self._mapped = False
        self._recorder = _watching(self.simulator) if live and self.simulator is not None else None

    def mark(self) -> int:
        """Return how long the log is; runs from here on are those since now."""
        return self._count

    def traces_since(self, mark: int) -> list[Trace]:
        """Return the traces of the last runs since a mark that were traced as they were made."""
        return [made for number, made in self._traces if number >= mark]

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """The call, kept."""
        return self._kept

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Map memory of the inner backend; memory that the process cannot write is none of the log's business."""
        if not writable:
            return self.inner.mmap(fd, length, writable=False, offset=offset)
        self._mapped = True
        return super().mmap(fd, length, writable=writable, offset=offset)

    def entries(self) -> Journal:
        """Return the log as a journal; empty if it became too long."""
        made = (each.entry() if isinstance(each, Made) else each for each in self.log or ())
        return Journal(self.journal.machine, list(made))

    def _write(self, entry: Entry) -> None:
        self._add(entry)

    def _add(self, entry: Entry | Made) -> None:
        if isinstance(entry, MadeRun) and self._recorder is not None and self._recorder.last is not None:
            self._traces.append((self._count, _traced(self._recorder, entry)))
        self._count += 1
        if self.log is not None:
            self.log.append(entry)
            if len(self.log) > MOST_ENTRIES:
                self.log = None

    def _kept(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        if command in NEUTRAL or (self.log is None and self._recorder is None):
            return self.inner.bpf(command, attr, size)
        if command == Command.PROG_TEST_RUN:
            return self._run(attr, size)
        if command in ELEMENTS and not self._mapped:
            return self._element(Command(command), attr, size)
        return self._recorded(command, attr, size)

    def _element(self, command: Command, pointer: ctypes.c_void_p, size: int) -> int:
        attr, layout = _attr(pointer, size), LAYOUTS[command]
        target = self._opened.get(layout.get(attr, "map_fd"))
        if target is None:
            return self._recorded(command, pointer, size)
        count = layout.get(attr, "count") if "batch" in command.name.lower() else 1
        inputs = {}
        for name in ELEMENTS[command]:
            width = target.key_size if name.startswith("key") else value_stride(target, self.possible_cpus)
            inputs[name] = read(layout.get(attr, name), width * count) or b""
        result = self.inner.bpf(command, pointer, size)
        self._add(Made(command, attr[:size], inputs, self.inner.errno() if result < 0 else 0))
        return result

    def _run(self, pointer: ctypes.c_void_p, size: int) -> int:
        self._look(by_kernel=False)
        attr = _attr(pointer, size)
        _, _, data_size, _, data_in, _, _, _, ctx_size, _, ctx_in, _ = FIELDS.unpack_from(attr)
        inputs = {"data_in": read(data_in, data_size) or b""} if data_in else {}
        if ctx_in:
            inputs["ctx_in"] = read(ctx_in, ctx_size) or b""
        moment = self._moment()
        try:
            result = self.inner.bpf(Command.PROG_TEST_RUN, pointer, size)
        except FaultError:
            self._add(MadeRun(Command.PROG_TEST_RUN, attr[:size], inputs, 0, 0, b"", b"", moment, stopped=True))
            raise
        self._add(MadeRun(Command.PROG_TEST_RUN, attr[:size], inputs, *self._answer(result, pointer, size), moment))
        self._look(by_kernel=True)
        return result

    def _answer(self, result: int, pointer: ctypes.c_void_p, size: int) -> tuple[int, int, bytes, bytes]:
        if result < 0:
            return self.inner.errno(), 0, b"", b""
        _, retval, _, data_size, _, data, _, _, _, ctx_size, _, ctx = FIELDS.unpack_from(_attr(pointer, size))
        output, ctx_output = (
            read(at, length) or b"" if at else b"" for at, length in ((data, data_size), (ctx, ctx_size))
        )
        return 0, retval, output, ctx_output

    def _look(self, *, by_kernel: bool) -> None:
        if self._mapped:
            with self._lock:
                self._regions.look(by_kernel=by_kernel)

    def _moment(self) -> Moment | None:
        sim = self._sim
        if sim is None:
            return None
        if sim.random.drawn != self._chance[0]:
            self._chance = sim.random.drawn, sim.random.state()
        return Moment((sim.clock.now, sim.clock.epoch), sim.cpu, self._chance[1])


def _simulator(backend: Backend) -> SimBackend | None:
    found = simulated(backend)
    if found is None:
        return None
    from bpflab.sim.backend import SimBackend

    return found if isinstance(found, SimBackend) else None


def _watching(simulator: SimBackend) -> Recorder:
    from bpflab.trace.recorder import Recorder

    recorder = Recorder()
    simulator.world.observer = recorder
    return recorder


def _traced(recorder: Recorder, run: MadeRun) -> Trace:
    from bpflab.trace.run import trace_of

    recording, recorder.last = recorder.last, None
    if recording is None:
        raise LookupError("No run was recorded.")
    return trace_of(recording, packet=run.packet, output=run.output)


def _attr(pointer: ctypes.c_void_p, size: int) -> bytes:
    found = read(pointer.value or 0, min(size, 256)) or b""
    return found if len(found) >= RUN.size else found.ljust(RUN.size, b"\0")
