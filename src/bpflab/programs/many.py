"""Thousands of packets through one program: one attr, one buffer of packets, and columns of what came out."""

from __future__ import annotations

import struct
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.backend.base import Preparing
from bpflab.errors import BpfError
from bpflab.programs.columns import RunColumns
from bpflab.programs.inputs import packet_bytes
from bpflab.programs.run import ANSWER, FORMAT, SIZE, TEST_RUN, Slot, address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpflab.programs.program import Program
    from bpflab.programs.result import RunResult
    from bpflab.programs.run import Runner

CHUNK: Final = 2048
"""Packets that are copied into one buffer."""
INPUT: Final = struct.Struct("=IIQ")
INPUT_AT: Final = LAYOUTS[Command.PROG_TEST_RUN].field("data_size_in").offset
"""data_size_in, data_size_out and data_in, one behind the other."""


def run_many(
    program: Program,
    runner: Runner,
    packets: Iterable[object],
    *,
    bounds: tuple[int, int],
    outputs: bool,
    alone: Callable[[bytes], RunResult],
) -> RunColumns:
    """Run a program once on each packet; `alone` runs it on one that is not as usual, or says what is wrong with it.

    `bounds` are the least and the most bytes that the cheap way takes.
    """
    columns = RunColumns(program, outputs=outputs)
    source = iter(packets)
    chunk = _Chunk(program, runner, columns, bounds, alone)
    while some := [data if type(data) is bytes else packet_bytes(data) for data in islice(source, CHUNK)]:
        chunk.run(some)
    return columns


class _Chunk:
    def __init__(
        self,
        program: Program,
        runner: Runner,
        columns: RunColumns,
        bounds: tuple[int, int],
        alone: Callable[[bytes], RunResult],
    ) -> None:
        self._runner = runner
        self._columns, self._bounds, self._alone = columns, bounds, alone
        self._slot = slot = Slot()
        self._room = 0 if columns.data is None else slot.room
        out = slot.out_at if self._room else 0
        FORMAT.pack_into(slot.attr, 0, program.fileno(), 0, 0, 0, 0, out, 1, 0, 0, 0, 0, 0, 0, 0, 0)
        self._call = _prepared(program, slot)

    def run(self, packets: list[bytes]) -> None:
        """Run the program on each packet, all of them lying in one buffer."""
        columns, room, (least, most) = self._columns, self._room, self._bounds
        attr, call, put, get = self._slot.attr, self._call, INPUT.pack_into, ANSWER.unpack_from
        buffer = bytearray().join(packets) or bytearray(1)
        at = address(buffer)
        kept, seen = columns.data, self._slot.seen
        first, alone, executed = len(columns), [], self._runner.executed()
        for data in packets:
            size = len(data)
            put(attr, INPUT_AT, size, room, at)
            at += size
            if not least <= size <= most or call() < 0:
                alone.append(len(columns))
                executed += self._run_alone(data)
                continue
            retval, length, duration = get(attr)
            columns.retvals.append(retval)
            columns.lengths.append(length)
            columns.durations.append(duration)
            if kept is not None:
                kept.append(seen[:length].tobytes())
        usual = [row for row in range(first, len(columns)) if row not in alone] if alone else range(first, len(columns))
        retvals = Counter(columns.retvals[row] for row in usual)
        spent = sum(columns.durations[row] for row in usual)
        self._runner.tally.add(retvals, spent, self._runner.executed() - executed)

    def _run_alone(self, data: bytes) -> int:
        """Run it, which counts it too, and return how many instructions that took."""
        before = self._runner.executed()
        try:
            self._columns.add(self._alone(data))
        except BpfError as error:
            error.add_note(f"It was packet {len(self._columns)} of those given to run_many, counted from 0.")
            raise
        return self._runner.executed() - before


def _prepared(program: Program, slot: Slot) -> Callable[[], int]:
    backend: Any = program.lab.backend
    if isinstance(backend, Preparing):
        return backend.prepare(TEST_RUN, slot.pointer, SIZE)
    bpf, pointer = backend.bpf, slot.pointer
    return lambda: bpf(TEST_RUN, pointer, SIZE)
