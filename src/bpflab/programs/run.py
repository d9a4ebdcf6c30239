"""PROG_TEST_RUN: the cheap path for a packet in and a verdict out, and the general one.

A runner keeps prebuilt attrs in a pool, so that a plain `run(bytes)` packs one struct, makes one call and
unpacks one struct. Everything that needs words is on the other path.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.backend.base import is_simulating
from bpflab.backend.call import syscall_error
from bpflab.backend.slots import SlotPool
from bpflab.contexts import context_layout
from bpflab.errors import EAGAIN, EBUSY, EINTR, RefusedInputError
from bpflab.programs.inputs import check_data, check_options, context_bytes, ip_header_mistake, packet_bytes, rule_of
from bpflab.programs.result import RunResult
from bpflab.programs.tally import instruction_counter

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.contexts import AnyContext
    from bpflab.lab import Lab
    from bpflab.programs.program import Program

EINVAL = 22
ENOSPC = 28
TRANSIENT = frozenset({EINTR, EAGAIN, EBUSY})
ONCE = (1, 0, 0, 0)
"""Repeat, flags, CPU and batch size of a plain run."""
GROWTH = 512
"""Room for what a program puts in front of and behind its packet before the kernel must be asked again."""
FIRST_ROOM = 4096
CONTEXT_ROOM = 1024
TEST_RUN = int(Command.PROG_TEST_RUN)
SIZE = LAYOUTS[Command.PROG_TEST_RUN].size
FORMAT = struct.Struct("=" + "".join(field.format for field in LAYOUTS[Command.PROG_TEST_RUN].fields))
SIZES = struct.Struct("=II")
SIZES_AT = LAYOUTS[Command.PROG_TEST_RUN].field("data_size_in").offset
"""data_size_in and data_size_out, one behind the other."""
ANSWER = struct.Struct("=4xI4xI20xI")
"""retval, data_size_out and duration of the attr, at their offsets."""
CTX_SIZE_OUT = LAYOUTS[Command.PROG_TEST_RUN].field("ctx_size_out").offset


class Slot:
    """An attr with the buffers of one run: packet in and out, context in and out."""

    __slots__ = (
        "attr", "ctx_in", "ctx_in_at", "ctx_out", "ctx_out_at", "data_in", "data_out", "in_at", "out_at", "pointer",
        "room", "seen",
    )  # fmt: skip

    def __init__(self, room: int = FIRST_ROOM, context_room: int = CONTEXT_ROOM) -> None:
        self.attr = bytearray(SIZE)
        self.pointer = ctypes.c_void_p(address(self.attr))
        self.ctx_in = bytearray(context_room)
        self.ctx_out = bytearray(context_room)
        self.ctx_in_at = address(self.ctx_in)
        self.ctx_out_at = address(self.ctx_out)
        self.resize(room)

    def resize(self, room: int) -> None:
        """Make both packet buffers `room` bytes."""
        self.room = room
        self.data_in = bytearray(room)
        self.data_out = bytearray(room)
        self.seen = memoryview(self.data_out)
        self.in_at = address(self.data_in)
        self.out_at = address(self.data_out)


class Runner:
    """Runs one loaded program."""

    def __init__(self, lab: Lab, program: Program, prog_type: ProgType) -> None:
        self._lab = lab
        self._program = program
        self._type = prog_type
        self._bpf = lab.backend.bpf
        self._rule = rule_of(prog_type, simulated=is_simulating(lab.backend))
        self._fd = program.fileno()
        self._pool = SlotPool(self._ready_slot)
        self._general = SlotPool(Slot)
        self._least, self._most = self._rule.min_data, min(self._rule.max_data, FIRST_ROOM - GROWTH)
        self._layout = context_layout(prog_type)
        self.tally = lab.tally(program.name, prog_type)
        self._executed = instruction_counter(lab.backend)

    def _ready_slot(self) -> Slot:
        """Make a slot whose attr lacks only the sizes, which the kernel writes over at each run."""
        slot = Slot()
        FORMAT.pack_into(slot.attr, 0, self._fd, 0, 0, 0, slot.in_at, slot.out_at, 1, 0, 0, 0, 0, 0, 0, 0, 0)
        return slot

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the most bytes of a packet that the cheap path takes."""
        return self._least, self._most

    def packet(self, data: bytes) -> RunResult | None:
        """Run once on a packet of common size; None when it takes the general path (or fails on the cheap one)."""
        size = len(data)
        if not self._least <= size <= self._most:
            return None
        before = self._executed() if self._executed else 0
        slot = self._pool.take()
        slot.data_in[:size] = data
        SIZES.pack_into(slot.attr, SIZES_AT, size, slot.room)
        if self._bpf(TEST_RUN, slot.pointer, SIZE) < 0:
            self._refused(self._lab.backend.errno(), data)
            return None
        retval, length, duration = ANSWER.unpack_from(slot.attr)
        tally = self.tally
        tally.nanoseconds += duration
        try:
            tally.retvals[retval] += 1
        except KeyError:
            tally.meet(retval)
        if self._executed:
            tally.instructions += self._executed() - before
        result = RunResult(self._program, retval, slot.seen[:length].tobytes(), duration, None)
        self._pool.give(slot)
        return result

    def executed(self) -> int:
        """Return how many instructions the simulated kernel has executed; 0 where none answers."""
        return self._executed() if self._executed else 0

    def _refused(self, errno: int, data: bytes) -> None:
        """Raise what a run on the cheap path was refused with, unless the general path does better with it."""
        rule, size = self._rule, len(data)
        tried_again = errno == ENOSPC or (errno in TRANSIENT and self._lab.call.retry.times)
        if tried_again or not (rule.takes_data and rule.repeat):
            return
        check_data(self._type, rule, size)
        if context_bytes(self._type, rule, None, size, self._lab.backend.byteorder) is None:
            raise self._error(errno, data, None, ONCE)

    def general(
        self,
        data: object,
        ctx: AnyContext | bytes | None,
        *,
        repeat: int,
        flags: int,
        cpu: int | None,
        batch_size: int | None,
    ) -> RunResult:
        """Run with everything checked; InputError in words, SyscallError for what only the kernel knows."""
        packet = packet_bytes(data)
        check_data(self._type, self._rule, len(packet))
        check_options(self._type, self._rule, repeat=repeat, flags=flags, cpu=cpu, batch=batch_size or 0)
        context = context_bytes(self._type, self._rule, ctx, len(packet), self._lab.backend.byteorder)
        numbers = (repeat if self._rule.repeat else 0, flags, cpu or 0, batch_size or 0)
        if len(packet) > FIRST_ROOM - GROWTH or len(context or b"") > CONTEXT_ROOM:
            large = Slot(max(FIRST_ROOM, len(packet) + GROWTH), max(CONTEXT_ROOM, len(context or b"")))
            return self._send(large, packet, context, numbers)
        slot = self._general.take()
        result = self._send(slot, packet, context, numbers)
        self._general.give(slot)
        return result

    def _send(self, slot: Slot, packet: bytes, ctx: bytes | None, numbers: tuple[int, int, int, int]) -> RunResult:
        values = self._fill(slot, packet, ctx, numbers)
        before = self.executed()
        answer = self._call(slot, values)
        if answer == ENOSPC and ANSWER.unpack_from(slot.attr)[1] > slot.room:
            slot.resize(ANSWER.unpack_from(slot.attr)[1])
            answer = self._call(slot, self._fill(slot, packet, ctx, numbers))
        if answer:
            raise self._error(answer, packet, ctx, numbers)
        retval, length, duration = ANSWER.unpack_from(slot.attr)
        self.tally.add({retval: 1}, duration, (self.executed() - before) // max(numbers[0], 1))
        return RunResult(self._program, retval, bytes(slot.data_out[:length]), duration, self._context(slot, ctx))

    def _fill(
        self, slot: Slot, packet: bytes, ctx: bytes | None, numbers: tuple[int, int, int, int]
    ) -> tuple[int, ...]:
        repeat, flags, cpu, batch_size = numbers
        slot.data_in[: len(packet)] = packet
        room = slot.room if self._rule.takes_data and not flags & 2 else 0
        slot.ctx_in[: len(ctx or b"")] = ctx or b""
        out = self._context_out_size(ctx)
        return (
            self._program.fileno(),
            0,
            len(packet),
            room,
            slot.in_at if packet else 0,
            slot.out_at if room else 0,
            repeat,
            0,
            len(ctx or b""),
            out,
            slot.ctx_in_at if ctx else 0,
            slot.ctx_out_at if out else 0,
            flags,
            cpu,
            batch_size,
        )

    def _context_out_size(self, ctx: bytes | None) -> int:
        # Raw tracepoints and NETFILTER give no context back; a syscall program writes into the one it was given.
        if ctx is None or self._layout is None or self._layout.name == "bpf_raw_tracepoint_args":
            return 0
        return max(len(ctx), self._layout.size)

    def _call(self, slot: Slot, values: tuple[int, ...]) -> int:
        FORMAT.pack_into(slot.attr, 0, *values)
        answer = self._lab.call.retry.run(lambda: self._bpf(TEST_RUN, slot.pointer, SIZE), self._lab.backend.errno)
        return self._lab.backend.errno() if answer < 0 else 0

    def _context(self, slot: Slot, ctx: bytes | None) -> bytes | None:
        if ctx is None:
            return None
        if self._context_out_size(ctx) == 0:
            return bytes(slot.ctx_in[: len(ctx)])
        return bytes(slot.ctx_out[: struct.unpack_from("=I", slot.attr, CTX_SIZE_OUT)[0]])

    def _error(self, errno: int, packet: bytes, ctx: bytes | None, numbers: tuple[int, int, int, int]) -> Exception:
        repeat, flags, cpu, batch_size = numbers
        given = {
            "data_size_in": len(packet),
            "ctx_size_in": len(ctx or b""),
            "repeat": repeat,
            "flags": flags,
            "cpu": cpu,
            "batch_size": batch_size,
        }
        advice = f"Program {self._program.name!r} of type {self._type.name} could not be run on this input."
        error = syscall_error(Command.PROG_TEST_RUN, errno, {**given}, advice)
        mistake = ip_header_mistake(self._type, self._rule, packet) if errno == EINVAL else ""
        return RefusedInputError(mistake, error.failure) if mistake else error


def address(buffer: bytearray) -> int:
    """Return where a bytearray's bytes are; it must not be resized after that."""
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
