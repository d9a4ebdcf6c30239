"""A run that tells what each instruction did. The plain loop pays nothing for it."""

from __future__ import annotations

from dataclasses import dataclass
from operator import length_hint
from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.abi.insn import (
    CALL,
    MODE_MASK,
    SIZE_MASK,
    AtomicOp,
    CallSource,
    InsnClass,
    JmpOp,
    Mode,
    Size,
)
from bpflab.asm.insn import Insn
from bpflab.sim.engine.changes import Changes, WriteRecord
from bpflab.sim.engine.jump import would_jump
from bpflab.sim.engine.loop import Finished, Switched, out_of_budget
from bpflab.sim.engine.step import WORD
from bpflab.sim.memory import OFFSET_MASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.engine.program import Program
    from bpflab.sim.engine.run import Run

END: Final = Insn(0)
"""Stands for what a jump past the last instruction meets."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call of a helper: its id, r1 to r5 as it got them, and what it returned."""

    helper: int
    arguments: tuple[int | None, ...]
    result: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """One executed instruction.

    `code` is the program it stands in, `before` r0 to r10 as it found them; `changed` holds the registers that differ
    afterwards, None for one that became unset. `taken` says of a conditional jump whether it was; None for everything
    else. `depth` counts the frames around this one. `effects` is the memory that a helper changed: of the run's own
    regions, and of those that its arguments point into. A callback's steps come before the step of the helper that
    called it, and have its effects.
    """

    code: Program
    pc: int
    insn: Insn
    depth: int
    before: tuple[int | None, ...]
    changed: dict[int, int | None]
    write: WriteRecord | None = None
    taken: bool | None = None
    call: CallRecord | None = None
    effects: tuple[WriteRecord, ...] = ()

    @property
    def program(self) -> str:
        """The name of the program that the instruction stands in."""
        return self.code.name

    @property
    def after(self) -> tuple[int | None, ...]:
        """r0 to r10 as it left them."""
        return tuple(self.changed.get(reg, value) for reg, value in enumerate(self.before))


Sink: TypeAlias = "Callable[[Step], object]"
Ahead: TypeAlias = "Callable[[Run], object]"


def trace(run: Run, sink: Sink, ahead: Ahead | None = None) -> int:
    """Execute a run like `Run.execute`, giving every step to `sink` once it is done.

    `ahead` is called with the run before each call of a helper. An instruction that faults gives no step.
    """
    run.drive = lambda run: _drive(run, sink, ahead)
    return run.execute()


def _drive(run: Run, sink: Sink, ahead: Ahead | None) -> int:
    for _ in run.ticks:
        finished = _advance(run, sink, ahead)
        if finished:
            return run.regs[0]
    raise out_of_budget(run)


def _advance(run: Run, sink: Sink, ahead: Ahead | None) -> bool:
    program, pc, depth, before, loops = run.program, run.pc, len(run.frames), list(run.regs), run.loops_left
    insn = program.insns[pc] if pc < len(program.insns) else END
    old = _stored(insn, before, run)
    helper = insn.opcode == CALL and insn.src == CallSource.HELPER
    if helper and ahead:
        ahead(run)
    changes, ticks = Changes(run) if helper else None, length_hint(run.ticks)
    run.trail.append(pc)
    finished = False
    try:
        run.pc = program.steps[pc](run.regs, run)
    except Switched:
        pass
    except Finished:
        finished = True
    called_back = length_hint(run.ticks) != ticks
    changed: dict[int, int | None] = {
        reg: new for reg, (old, new) in enumerate(zip(before, run.regs, strict=True)) if old != new
    }
    sink(
        Step(
            code=program,
            pc=pc,
            insn=insn,
            depth=depth,
            before=tuple(before),
            changed=changed,
            write=_write(insn, before, run, old),
            taken=would_jump(insn, before, loops) if is_conditional(insn) else None,
            call=CallRecord(insn.imm, tuple(before[1:6]), run.regs[0]) if helper else None,
            effects=() if changes is None or called_back else tuple(changes.found()),
        )
    )
    return finished


def is_conditional(insn: Insn) -> bool:
    """Tell whether an instruction is a jump with two ways to go on."""
    jump = insn.cls in {InsnClass.JMP, InsnClass.JMP32}
    return jump and insn.operation not in {JmpOp.JA, JmpOp.CALL, JmpOp.EXIT}


def _write(insn: Insn, before: list[int], run: Run, old: bytes) -> WriteRecord | None:
    if not _is_store(insn):
        return None
    address, size = _target(insn, before)
    region, offset = run.memory.span(address, size)
    return WriteRecord(address, bytes(region.data[offset : offset + size]), region.title, old)


def _stored(insn: Insn, before: list[int], run: Run) -> bytes:
    """Return the bytes that a store is about to write over; nothing where it is going to be a fault."""
    if not _is_store(insn) or before[insn.dst] is None:
        return b""
    address, size = _target(insn, before)
    region, offset = run.memory.find(address), address & OFFSET_MASK
    return b"" if region is None else bytes(region.data[offset : offset + size])


def _target(insn: Insn, before: list[int]) -> tuple[int, int]:
    return (before[insn.dst] + insn.off) & WORD, Size(insn.opcode & SIZE_MASK).width


def _is_store(insn: Insn) -> bool:
    return insn.cls in {InsnClass.ST, InsnClass.STX} and not _is_load(insn)


def _is_load(insn: Insn) -> bool:
    return insn.opcode & MODE_MASK == Mode.ATOMIC and insn.imm == AtomicOp.LOAD_ACQ
