"""Packet access of classic BPF: LD_ABS and LD_IND (RFC 9669 section 5.5).

The hook supplies the accessor. Loading past the packet ends the function with r0 = 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import SIZE_MASK, InsnClass, Mode, Size
from bpflab.sim.engine.alu import signed
from bpflab.sim.engine.call import forget_arguments
from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Build, Builder, Registers, StepFunction


def _load(build: Build) -> StepFunction:
    insn, after = build.insn, build.after
    size = Size(insn.opcode & SIZE_MASK).width
    indirect = insn.opcode & 0xE0 == Mode.IND

    def step(regs: Registers, run: Run) -> int:
        offset = insn.imm + (regs[insn.src] if indirect else 0)
        if run.packet_load is None:
            raise Fault(FaultKind.BAD_INSN, "LD_ABS and LD_IND need a packet, which this hook does not give")
        value = run.packet_load(signed(offset, 32), size)
        forget_arguments(regs)
        regs[0] = value or 0
        return run.leave() if value is None else after

    return step


BUILDERS: Final[dict[int, Builder]] = {
    InsnClass.LD | mode | size: _load for mode in (Mode.ABS, Mode.IND) for size in (Size.B, Size.H, Size.W)
}
