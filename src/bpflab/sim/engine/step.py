"""What an instruction becomes when a program is prepared: a small function called a step.

A step gets the registers and the run, does its work and returns the slot to go on with. It is built
once, by the builder that its opcode finds in a table, and keeps its operands in its closure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, cast

from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.sim.engine.program import Program
    from bpflab.sim.engine.run import Run
    from bpflab.sim.memory import Memory

Registers: TypeAlias = list[int]
"""r0 to r10 as unsigned 64-bit numbers; `UNSET` where nothing was written yet."""

UNSET: Final = cast("int", None)
"""An uninitialised register. It is None, so that arithmetic on it raises TypeError at no cost."""

StepFunction: TypeAlias = "Callable[[Registers, Run], int]"
Builder: TypeAlias = "Callable[[Build], StepFunction]"

HelperFunction: TypeAlias = "Callable[[Run, int, int, int, int, int], int]"
"""A helper: the run and r1 to r5 in, r0 out (any integer; its low 64 bits count).

A helper of fewer arguments ignores the rest, which may be `UNSET`.
"""

Cast: TypeAlias = Callable[[int], int]
"""An address of one space in, the address of the same byte in another space out."""

PacketLoad: TypeAlias = Callable[[int, int], int | None]
"""LD_ABS and LD_IND: signed offset and size (1, 2, 4) in; the number in network byte order, or None."""

WORD: Final = (1 << 64) - 1
HALF: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Build:
    """What a builder may look at: one instruction, its slot, and what surrounds the program."""

    insn: Insn
    pc: int
    program: Program
    helpers: Mapping[int, HelperFunction]
    kfuncs: Mapping[int, HelperFunction]
    addresses: Mapping[int, int]
    strict_alignment: bool
    probe: bool = False
    casts: Mapping[int, Cast] = field(default_factory=dict)

    @property
    def insns(self) -> tuple[Insn, ...]:
        """All slots of the program."""
        return self.program.insns

    @property
    def memory(self) -> Memory:
        """The memory that the program will run in."""
        return self.program.memory

    @property
    def after(self) -> int:
        """The slot after this instruction."""
        return self.pc + 1

    def target(self, distance: int) -> int:
        """Give the slot `distance` after the next one, or the trap after the last slot."""
        slot = self.pc + 1 + distance
        return slot if 0 <= slot < len(self.insns) else len(self.insns)


def trap(kind: FaultKind, reason: str) -> StepFunction:
    """Build a step that is a fault whenever a program reaches it."""

    def step(_regs: Registers, _run: Run) -> NoReturn:
        raise Fault(kind, reason)

    return step


def unknown(build: Build) -> StepFunction:
    """Build the step of an instruction that RFC 9669 gives no meaning."""
    return trap(FaultKind.BAD_INSN, f"{build.insn} is not a BPF instruction")
