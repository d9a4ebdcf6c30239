"""A fault as a user reads it: what was unsafe, in which source line, and how the program came there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.errors import FaultError
from bpflab.sim.fault import register_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab.sim.fault import Fault, Moment
    from bpflab.sim.programs import SimProgram

REGISTERS_A_LINE = 4


def fault_error(fault: Fault, program: SimProgram) -> FaultError:
    """Build the error of a run that was stopped; `program` is the one that was running."""
    moment = fault.moment
    if moment is None:
        return FaultError(f"Program {program.name!r} was stopped: {fault}.", kind=str(fault.kind), program=program.name)
    source = program.lines.at(moment.pc)
    text = "\n".join(
        [
            f"Program {program.name!r} was stopped at {fault}.",
            f"  {source}" if source else f"  {_insn(program, moment.pc)}",
            "The last instructions:",
            *_steps(program, moment),
            "Registers:",
            *_registers(moment.registers),
        ]
    )
    return FaultError(
        text,
        kind=str(fault.kind),
        program=program.name,
        insn=moment.pc,
        source=str(source) if source else "",
        file=source.file if source else "",
        line=source.line if source else 0,
        registers=moment.registers,
        trail=moment.trail,
    )


def _steps(program: SimProgram, moment: Moment) -> Iterator[str]:
    shown = ""
    for pc in moment.trail:
        line = str(program.lines.at(pc) or "")
        if line and line != shown:
            yield f"  ; {line}"
            shown = line
        yield f"  {pc:>5}: {_insn(program, pc)}"


def _insn(program: SimProgram, pc: int) -> str:
    from bpflab.asm.disassembler import text_at

    insns = program.spec.insns
    return text_at(insns, pc) if pc < len(insns) else "(past the last instruction)"


def _registers(registers: Sequence[int | None]) -> Iterator[str]:
    texts = [f"r{number} = {register_text(value)}" for number, value in enumerate(registers)]
    for at in range(0, len(texts), REGISTERS_A_LINE):
        yield "  " + "   ".join(texts[at : at + REGISTERS_A_LINE])
