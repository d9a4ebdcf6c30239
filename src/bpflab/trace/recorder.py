"""What makes a trace of a run: it is told of every instruction, and keeps what a reader wants to know of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.helpers import ReturnKind
from bpflab.abi.insn import CALL, CallSource
from bpflab.trace.branches import branch
from bpflab.trace.calls import CallWords, helper_name, packet_copies, row_of
from bpflab.trace.changes import ChangeWords, merged
from bpflab.trace.maps import MapWords, peek
from bpflab.trace.model import Entered, Happening, HelperCall, MapChange, Visit
from bpflab.trace.origins import Origins
from bpflab.trace.packet_view import PacketView
from bpflab.trace.pointers import Pointers
from bpflab.trace.values import Value
from bpflab.trace.where import Whereabouts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.helpers import Helper
    from bpflab.sim.engine import Run, Step, WriteRecord
    from bpflab.sim.fault import Fault
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.programs import SimProgram
    from bpflab.sim.test_run import Environment

KEPT_FIRST: Final = 2_000
KEPT_LAST: Final = 20_000
"""Visits that are kept of a long run, from its start and up to its end."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What has to be known of a helper's call before it is made."""

    arguments: tuple[tuple[str, str], ...] = ()
    map: SimMap | None = None
    key: bytes | None = None
    old: bytes | None = None


class Recorder:
    """An observer of the simulated kernel; `last` is the latest run that it was told of, `count` their number."""

    def __init__(self) -> None:
        self.last: Recording | None = None
        self.count = 0

    def begin(self, env: Environment, run: Run) -> None:
        """Hear that a run starts: what was recorded before is forgotten."""
        self.last = Recording(env, run)
        self.count += 1

    def ahead(self, run: Run) -> None:
        """Hear of a helper that is about to be called."""
        self._recording.ahead(run)

    def step(self, step: Step) -> None:
        """Hear of an instruction."""
        self._recording.step(step)

    def end(self, retval: int | None, fault: Fault | None) -> None:
        """Hear of the end."""
        self._recording.end(retval, fault)

    @property
    def _recording(self) -> Recording:
        if self.last is None:
            raise LookupError("No run has begun.")
        return self.last


class Recording:
    """One run, as visits to source lines. `left_out` counts those in the middle of a long run that were not kept."""

    def __init__(self, env: Environment, run: Run) -> None:
        self.program = env.program
        self.first: list[Visit] = []
        self.rest: deque[Visit] = deque(maxlen=KEPT_LAST)
        self.left_out = self.steps = 0
        self.retval: int | None = None
        self.fault: Fault | None = None
        self._run = run
        self._packet = PacketView(env.frame)
        self._maps = MapWords()
        pointers = Pointers(run.memory, self._packet, self._maps)
        self._pointers, self._origins = pointers, Origins(pointers, run.memory.order)
        self._calls = CallWords(pointers, self._origins)
        self._changes = ChangeWords(pointers)
        self._where = Whereabouts(env.kernel, env.program)
        self._pending: dict[int, Pending] = {}
        self._current: Visit | None = None
        self._happenings: list[Happening] = []
        self._packet_writes: list[WriteRecord] = []
        self._last_pc = -1

    @property
    def visits(self) -> tuple[Visit, ...]:
        """The visits that were kept, in order."""
        return (*self.first, *self.rest)

    def ahead(self, run: Run) -> None:
        """Write down the arguments of a helper, and what a map holds before it."""
        program, registers = self._where.program(run.program), run.regs
        number = run.program.insns[run.pc].imm
        row = row_of(number)
        target = self._calls.map_of(row, program, registers) if row else None
        key = self._calls.key_of(row, program, registers, target) if row and target else None
        old = peek(target, key) if target and key is not None else None
        arguments = self._calls.arguments(program, number, registers)
        self._pending[len(run.frames)] = Pending(arguments, target, key, old)

    def step(self, step: Step) -> None:
        """Take in an instruction."""
        self.steps += 1
        program = self._where.program(step.code)
        pending = self._pending.pop(step.depth, Pending()) if step.call is not None else Pending()
        self._visit(step, program)
        self._happenings += self._told(step, program, pending)
        self._origins.follow(step, program)
        if step.call is not None:
            self._after_call(step, pending)
        self._last_pc = step.pc

    def end(self, retval: int | None, fault: Fault | None) -> None:
        """Close the last visit; of a run that was stopped, at the instruction that was not done."""
        if fault is not None and fault.moment is not None:
            self._stopped_at(fault.moment.pc)
        self._keep()
        self.retval, self.fault = retval, fault

    def flush(self) -> None:
        """Close the visit under way, for someone who looks in the middle of a run."""
        self._keep()

    def here(self) -> Visit:
        """Return where the run stands: the line and the instruction that come next."""
        return self._at(self._where.program(self._run.program), self._run.pc, len(self._run.frames))

    def instruction(self) -> str:
        """Write the instruction that comes next."""
        return self._where.text(self._where.program(self._run.program), self._run.pc)

    def registers(self) -> Iterator[str]:
        """Write the registers that are set, with what is known of each."""
        for reg, number in enumerate(self._run.regs):
            if number is not None:
                value = self._origins.register(reg, number)
                words = self._pointers.text(number) or value.name
                yield f"r{reg:<2} = {number:#x}" + (f"  {words}" if words else f"  {value}")

    def memory(self, address: int, size: int) -> bytes:
        """Copy memory as the program would read it. Raises `Fault`."""
        region, offset = self._run.memory.span(address, size)
        return bytes(region.data[offset : offset + size])

    def register(self, reg: int) -> int | None:
        """Return what a register holds; None for one that is not set."""
        return self._run.regs[reg]

    def _visit(self, step: Step, program: SimProgram) -> None:
        visit = self._at(program, step.pc, step.depth)
        current = self._current
        same = current is not None and visit.line and visit.place == current.place and step.pc > self._last_pc
        if not same:
            self._keep()
            self._current = visit

    def _at(self, program: SimProgram, pc: int, depth: int) -> Visit:
        line = self._where.line(program, pc)
        if line is None or not line.text.strip():
            return Visit(program.name, depth, pc, self._where.text(program, pc))
        return Visit(program.name, depth, pc, line.text.strip(), line.file, line.line)

    def _stopped_at(self, pc: int) -> None:
        program = self._where.program(self._run.program)
        visit = self._at(program, pc, len(self._run.frames))
        if self._current is None or visit.place != self._current.place:
            self._keep()
            self._current = visit

    def _keep(self) -> None:
        if self._current is None:
            return
        changed = (self._changes.told(self._last_pc, write) for write in merged(self._packet_writes))
        happenings = (*self._happenings, *(each for each in changed if each is not None))
        visit = replace(self._current, happenings=happenings)
        self._current, self._happenings, self._packet_writes = None, [], []
        if len(self.first) < KEPT_FIRST:
            self.first.append(visit)
            return
        self.left_out += len(self.rest) == KEPT_LAST
        self.rest.append(visit)

    def _told(self, step: Step, program: SimProgram, pending: Pending) -> Iterator[Happening]:
        if step.taken is not None:
            yield branch(step, self._origins, self._pointers)
        elif step.call is not None:
            yield from self._call(step, pending)
        elif step.insn.opcode == CALL and step.insn.src == CallSource.SUBPROG:
            yield Entered(step.pc, self._where.function(program, step.pc + 1 + step.insn.imm))
        elif step.write is not None:
            yield from self._write(step.pc, step.write)

    def _write(self, pc: int, write: WriteRecord) -> Iterator[Happening]:
        if self._packet.offset(write.address) is not None:
            self._packet_writes.append(write)
            self._packet.stale()
            return
        change = self._changes.told(pc, write)
        if change is not None:
            yield change

    def _call(self, step: Step, pending: Pending) -> Iterator[Happening]:
        call = step.call
        if call is None:
            return
        name = helper_name(call.helper)
        if self._run.program is not step.code:
            yield HelperCall(step.pc, name, pending.arguments)
            yield Entered(step.pc, self._where.program(self._run.program).name, tail_call=True)
            return
        self._learn(step, pending)
        yield HelperCall(step.pc, name, pending.arguments, self._calls.result(call))
        if pending.map is not None and pending.key is not None:
            yield from self._map_change(step.pc, pending.map, pending.key, pending.old)
        for effect in step.effects:
            change = self._changes.told(step.pc, effect, name)
            if change is not None:
                yield change

    def _learn(self, step: Step, pending: Pending) -> None:
        """Note which entry a lookup found."""
        row = row_of(step.call.helper) if step.call else None
        result = step.call.result if step.call else None
        if (
            row
            and row.returns.kind is ReturnKind.MAP_VALUE
            and pending.map is not None
            and pending.key is not None
            and result
        ):
            self._maps.found(pending.map, pending.key, result)

    def _map_change(self, pc: int, target: SimMap, key: bytes, old: bytes | None) -> Iterator[MapChange]:
        new = peek(target, key)
        if old != new:
            texts = (None if each is None else self._maps.value_text(target, each) for each in (old, new))
            yield MapChange(pc, target.name, self._maps.entry(target, key), *texts)

    def _after_call(self, step: Step, pending: Pending) -> None:
        call = step.call
        if call is None:
            return
        row = row_of(call.helper)
        if self._run.program is not step.code:
            self._origins.switched()
        elif call.result is not None:
            self._origins.returned(Value(call.result, self._result_name(row, pending)))
        registers = [0, *(number or 0 for number in call.arguments)]
        if (row and row.changes_packet) or step.effects:
            self._packet.stale()
        if row and not call.result:
            for copy in packet_copies(row, registers):
                self._origins.copied(*copy)

    def _result_name(self, row: Helper | None, pending: Pending) -> str:
        if row is None:
            return ""
        if row.returns.kind is ReturnKind.MAP_VALUE and pending.map is not None and pending.key is not None:
            return f"&{self._maps.entry(pending.map, pending.key).partition(' (CPU')[0]}"
        return f"bpf_{row.name}()"
