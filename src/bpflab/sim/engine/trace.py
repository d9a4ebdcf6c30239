"""A run that tells what each instruction did. The plain loop pays nothing for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.insn import (
    CALL,
    MAY_GOTO,
    MODE_MASK,
    SIZE_MASK,
    AtomicOp,
    CallSource,
    InsnClass,
    JmpOp,
    Mode,
    Size,
    Source,
)
from bpflab.sim.engine.jump import CONDITIONS
from bpflab.sim.engine.loop import Finished, Switched, out_of_budget
from bpflab.sim.engine.step import HALF, WORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.asm.insn import Insn
    from bpflab.sim.engine.run import Run


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Bytes that an instruction put at an address, and the region they lie in."""

    address: int
    data: bytes
    region: str


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call of a helper: its id, r1 to r5 as it got them, and what it returned."""

    helper: int
    arguments: tuple[int | None, ...]
    result: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """One executed instruction.

    `changed` holds the registers that differ afterwards, None for one that became unset. `taken`
    says of a conditional jump whether it was; None for everything else. `depth` counts the frames
    around this one. A callback's steps come before the step of the helper that called it.
    """

    program: str
    pc: int
    insn: Insn
    depth: int
    changed: dict[int, int | None]
    write: WriteRecord | None = None
    taken: bool | None = None
    call: CallRecord | None = None


def trace(run: Run, sink: Callable[[Step], None]) -> int:
    """Execute a run like `Run.execute`, giving every step to `sink` once it is done.

    An instruction that faults gives no step.
    """
    run.drive = lambda run: _drive(run, sink)
    return run.execute()


def _drive(run: Run, sink: Callable[[Step], None]) -> int:
    for _ in run.ticks:
        finished = _advance(run, sink)
        if finished:
            return run.regs[0]
    raise out_of_budget(run)


def _advance(run: Run, sink: Callable[[Step], None]) -> bool:
    program, pc, depth, before, loops = run.program, run.pc, len(run.frames), list(run.regs), run.loops_left
    run.trail.append(pc)
    finished = False
    try:
        run.pc = program.steps[pc](run.regs, run)
    except Switched:
        pass
    except Finished:
        finished = True
    insn = program.insns[pc]
    changed: dict[int, int | None] = {
        reg: new for reg, (old, new) in enumerate(zip(before, run.regs, strict=True)) if old != new
    }
    sink(
        Step(
            program=program.name,
            pc=pc,
            insn=insn,
            depth=depth,
            changed=changed,
            write=_write(insn, before, run),
            taken=_taken(insn, before, loops) if is_conditional(insn) else None,
            call=_call(insn, before, run),
        )
    )
    return finished


def is_conditional(insn: Insn) -> bool:
    """Tell whether an instruction is a jump with two ways to go on."""
    jump = insn.cls in {InsnClass.JMP, InsnClass.JMP32}
    return jump and insn.operation not in {JmpOp.JA, JmpOp.CALL, JmpOp.EXIT}


def _taken(insn: Insn, before: list[int], loops: int) -> bool:
    """Tell whether a jump was taken, also when it leads to the next instruction."""
    if insn.opcode == MAY_GOTO:
        return not loops
    bits, mask = (64, WORD) if insn.cls is InsnClass.JMP else (32, HALF)
    second = before[insn.src] if insn.opcode & Source.X else insn.imm
    return CONDITIONS[bits][JmpOp(insn.operation)](before[insn.dst] & mask, second & mask)


def _call(insn: Insn, before: list[int], run: Run) -> CallRecord | None:
    if insn.opcode != CALL or insn.src != CallSource.HELPER:
        return None
    return CallRecord(insn.imm, tuple(before[1:6]), run.regs[0])


def _write(insn: Insn, before: list[int], run: Run) -> WriteRecord | None:
    if insn.cls not in {InsnClass.ST, InsnClass.STX} or _is_load(insn):
        return None
    address = (before[insn.dst] + insn.off) & WORD
    region, offset = run.memory.span(address, size := Size(insn.opcode & SIZE_MASK).width)
    return WriteRecord(address, bytes(region.data[offset : offset + size]), region.title)


def _is_load(insn: Insn) -> bool:
    return insn.opcode & MODE_MASK == Mode.ATOMIC and insn.imm == AtomicOp.LOAD_ACQ
