"""What the machine held when a run was stopped, and which register is to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.insn import CALL, CALLX, CallSource
from bpflab.sim.engine.operands import base_register, reads
from bpflab.sim.fault import Fault, FaultKind, Moment
from bpflab.sim.memory import OFFSET_BITS

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.sim.engine.run import Run
    from bpflab.sim.fault import Access


def explained(fault: Fault, run: Run) -> Fault:
    """Fill in the moment of a fault, unless a callback's run did so already."""
    if fault.moment is None:
        fault.moment = Moment(
            program=run.program.name,
            pc=_slot(run),
            registers=tuple(run.regs),
            register=_blamed(fault, run),
            trail=tuple(run.trail),
            calls=tuple(frame.after - 1 for frame in run.frames),
            steps=run.steps,
        )
    return fault


def unset_register_fault(run: Run) -> Fault | None:
    """Make the fault of an instruction that read an unset register; None if it read none."""
    unset = [reg for reg in _reads(_insn(run)) if run.regs[reg] is None]
    if not unset:
        return None
    return Fault(FaultKind.UNINITIALISED_REGISTER, f"r{unset[0]} is read before anything was written to it")


def _slot(run: Run) -> int:
    return run.trail[-1] if run.trail else run.pc


def _insn(run: Run) -> Insn | None:
    slot = _slot(run)
    return run.program.insns[slot] if slot < len(run.program.insns) else None


def _reads(insn: Insn | None) -> tuple[int, ...]:
    if insn is None:
        return ()
    return _argument_registers(insn) if insn.opcode in {CALL, CALLX} else reads(insn)


def _argument_registers(insn: Insn) -> tuple[int, ...]:
    if insn.src != CallSource.HELPER:
        return (1, 2, 3, 4, 5)
    from bpflab.abi.helpers import ArgumentKind, table

    known = table().by_id.get(insn.imm)
    arguments = () if known is None else known.arguments
    return tuple(reg for reg, each in enumerate(arguments, 1) if each.kind is not ArgumentKind.UNCHECKED)


def _blamed(fault: Fault, run: Run) -> int | None:
    insn = _insn(run)
    if insn is None:
        return None
    if fault.kind is FaultKind.UNINITIALISED_REGISTER:
        return next((reg for reg in _reads(insn) if run.regs[reg] is None), None)
    if fault.access is None:
        return None
    return _pointing_argument(fault.access, run) if insn.opcode == CALL else base_register(insn)


def _pointing_argument(access: Access, run: Run) -> int | None:
    number = access.address >> OFFSET_BITS
    held = [reg for reg in range(1, 6) if run.regs[reg] is not None and run.regs[reg] >> OFFSET_BITS == number]
    return held[0] if held else None
