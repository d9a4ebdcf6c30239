"""A log of calls that is cheap to keep and dear to read: for a run that may have to be made again.

Calls that tests make again and again are kept as they were made, attr and buffers; reading them waits until somebody
wants to. Everything else, and everything while writable memory is mapped, is recorded by the journal at once.
"""

from __future__ import annotations

import struct
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.backend.base import Wrapping, simulated
from bpflab.backend.capture import value_stride
from bpflab.backend.journal import Journal, JournalBackend
from bpflab.backend.process_memory import read
from bpflab.errors import FaultError
from bpflab.trace.made import RUN, Made, MadeRun, Moment

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    from bpflab.backend.base import Backend, MappedMemory, Simulating
    from bpflab.backend.journal_entry import Entry
    from bpflab.sim.backend import SimBackend
    from bpflab.trace.model import Trace
    from bpflab.trace.recorder import Recorder

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
RUN_COMMAND: Final = Command.PROG_TEST_RUN
FIELDS: Final = struct.Struct("=" + "".join(field.format for field in RUN.fields[:12]))
"""The fields of a run's attr up to ctx_out, which follow on each other without gaps (linux/bpf.h)."""


class CallLog(JournalBackend):
    """Keeps the calls of a backend, to play them again: `log` in order, None once it became too long.

    With `live`, runs on the simulator are traced as they are made, which takes several times as long as running them.
    `told` is called with what is kept, also after the log became too long.
    """

    def __init__(
        self, inner: Backend, *, live: bool = False, told: Callable[[Entry | Made], None] | None = None
    ) -> None:
        super().__init__(inner)
        self._told = told
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

    def only_made_since(self, mark: int) -> bool:
        """Whether nothing but runs and changes of elements came since a mark."""
        return self.log is not None and all(isinstance(entry, Made) for entry in islice(self.log, mark, None))

    def rewound(self, mark: int, bring_back: Callable[[], None]) -> None:
        """Forget the calls since a mark, and those of `bring_back`, which undoes what they changed."""
        kept, self.log = self.log, None
        recorder, self._recorder = self._recorder, None
        try:
            bring_back()
        finally:
            self.log, self._recorder = kept, recorder
        if kept is not None:
            del kept[mark:]
            self._count = mark
            self._traces.clear()

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
        self._count += 1
        if self._told:
            self._told(entry)
        if self.log is not None:
            self.log.append(entry)
            if len(self.log) > MOST_ENTRIES:
                self.log = None

    def _kept(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        if command == RUN_COMMAND:
            return self._run(attr, size)
        if command in NEUTRAL or (self.log is None and command in ELEMENTS):
            return self.inner.bpf(command, attr, size)
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
        if self._mapped:
            self._look(by_kernel=False)
        attr = _attr(pointer, size)
        _, _, data_size, _, data_in, _, _, _, ctx_size, _, ctx_in, _ = FIELDS.unpack_from(attr)
        inputs = {"data_in": read(data_in, data_size) or b""} if data_in else {}
        if ctx_in:
            inputs["ctx_in"] = read(ctx_in, ctx_size) or b""
        moment = self._moment(self._sim) if self._sim else None
        try:
            result = self.inner.bpf(RUN_COMMAND, pointer, size)
        except FaultError:
            self._add_run(MadeRun(RUN_COMMAND, attr[:size], inputs, 0, 0, b"", b"", moment, stopped=True))
            raise
        answer = _answer(pointer, size) if result >= 0 else (self.inner.errno(), 0, b"", b"")
        self._add_run(MadeRun(RUN_COMMAND, attr[:size], inputs, *answer, moment))
        if self._mapped:
            self._look(by_kernel=True)
        return result

    def _add_run(self, run: MadeRun) -> None:
        if self._recorder is not None and self._recorder.last is not None:
            self._traces.append((self._count, _traced(self._recorder, run)))
        self._add(run)

    def _look(self, *, by_kernel: bool) -> None:
        with self._lock:
            self._regions.look(by_kernel=by_kernel)

    def _moment(self, sim: Simulating) -> Moment:
        if sim.random.drawn != self._chance[0]:
            self._chance = sim.random.drawn, sim.random.state()
        raced = self.simulator is not None and self.simulator.kernel.interleaving is not None
        return Moment((sim.clock.now, sim.clock.epoch), sim.cpu, self._chance[1], raced)


def call_log(backend: Backend) -> CallLog | None:
    """Return the log that a backend keeps, itself or one inside it; None where none is kept."""
    if isinstance(backend, CallLog):
        return backend
    return call_log(backend.inner) if isinstance(backend, Wrapping) else None


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


def _answer(pointer: ctypes.c_void_p, size: int) -> tuple[int, int, bytes, bytes]:
    """Read what a run answered: errno, its return value, packet and context."""
    _, retval, _, data_size, _, data, _, _, _, ctx_size, _, ctx = FIELDS.unpack_from(_attr(pointer, size))
    output = (read(data, data_size) or b"") if data else b""
    return 0, retval, output, (read(ctx, ctx_size) or b"") if ctx else b""
