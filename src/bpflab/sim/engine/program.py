"""A program made ready to run: a step for every instruction slot."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import INSN_SIZE, WideSource
from bpflab.sim.engine import alu, atomic, call, jump, load, move, packet, store
from bpflab.sim.engine.step import Build, Builder, Cast, HelperFunction, StepFunction, trap, unknown
from bpflab.sim.fault import FaultKind
from bpflab.sim.memory import OFFSET_MASK, Region, RegionKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bpflab.asm.insn import Insn
    from bpflab.sim.memory import Memory

BUILDERS: Final[Mapping[int, Builder]] = MappingProxyType(
    alu.BUILDERS
    | move.BUILDERS
    | jump.BUILDERS
    | call.BUILDERS
    | load.BUILDERS
    | store.BUILDERS
    | atomic.BUILDERS
    | packet.BUILDERS
)
"""Who builds the step of an instruction, by opcode."""


class Program:
    """Steps by slot, in one memory. `close` takes back the addresses of its functions, if any.

    `exception_callback` is the slot of the function that a thrown exception is given to, 0 without one.
    """

    __slots__ = ("_code", "exception_callback", "insns", "memory", "name", "steps")

    def __init__(self, name: str, insns: tuple[Insn, ...], memory: Memory) -> None:
        self.name = name
        self.insns = insns
        self.memory = memory
        self.steps: list[StepFunction] = []
        self.exception_callback = 0
        self._code: Region | None = None
        if any(insn.is_wide and insn.src == WideSource.FUNC for insn in insns):
            self._code = memory.add(RegionKind.CODE, bytearray(), name=name, writable=False, owner=self)

    def address(self, pc: int) -> int:
        """Give the address that stands for the function at a slot; 0 if the program takes none."""
        return 0 if self._code is None else self._code.address + pc * INSN_SIZE

    def close(self) -> None:
        """Give up the addresses of functions. Closing twice is fine."""
        if self._code is not None:
            self.memory.remove(self._code)
            self._code = None


def prepare(
    insns: Sequence[Insn],
    memory: Memory,
    *,
    helpers: Mapping[int, HelperFunction] | None = None,
    kfuncs: Mapping[int, HelperFunction] | None = None,
    addresses: Mapping[int, int] | None = None,
    name: str = "",
    strict_alignment: bool = False,
    probes: Collection[int] = (),
    casts: Mapping[int, Cast] | None = None,
) -> Program:
    """Build the steps of a program.

    `helpers` are callables by helper id, `kfuncs` by BTF id. `addresses` gives, by slot, the value
    that a 64-bit immediate load yields when it names a map, a map's value or a kernel object;
    functions (`WideSource.FUNC`) the engine resolves itself. `probes` are the slots of loads that read 0 where
    there is no memory, `casts` what turns addresses of an arena into one another, by the imm of the cast. Nothing is
    checked here: an instruction that means nothing becomes a `Fault` when it is reached.
    """
    program = Program(name, tuple(insns), memory)

    def build(pc: int, insn: Insn) -> StepFunction:
        return build_step(
            Build(
                insn=insn,
                pc=pc,
                program=program,
                helpers=helpers or {},
                kfuncs=kfuncs or {},
                addresses=addresses or {},
                strict_alignment=strict_alignment,
                probe=pc in probes,
                casts=casts or {},
            )
        )

    program.steps += [build(pc, insn) for pc, insn in enumerate(program.insns)]
    program.steps.append(trap(FaultKind.BAD_JUMP, "the program ran past its last instruction or jumped outside"))
    return program


def build_step(build: Build) -> StepFunction:
    """Find the builder of an instruction by its opcode and let it build."""
    if build.pc and build.insns[build.pc - 1].is_wide:
        return trap(FaultKind.BAD_JUMP, "a jump into the middle of a 64-bit immediate load")
    builder = BUILDERS.get(build.insn.opcode)
    return builder(build) if builder else unknown(build)


def function_at(memory: Memory, address: int) -> tuple[Program, int] | None:
    """Tell which program's slot a function's address stands for; None if it is no such address."""
    region = memory.find(address)
    if region is None or not isinstance(region.owner, Program):
        return None
    return region.owner, (address & OFFSET_MASK) // INSN_SIZE
