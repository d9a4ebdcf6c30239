"""Which program, function and source line an executed instruction belongs to, and its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.insn import LD_IMM64, WideSource
from bpflab.asm.disassembler import helper_text, text_at
from bpflab.asm.text.names import Names
from bpflab.sim.functions import functions

if TYPE_CHECKING:
    from bpflab.sim.engine import Program
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.lines import Line
    from bpflab.sim.programs import SimProgram


class Whereabouts:
    """Finds the loaded program of what the engine runs, and names places in it; remembers what it found."""

    def __init__(self, kernel: SimKernel, program: SimProgram) -> None:
        self._kernel = kernel
        self._programs: dict[int, SimProgram] = {id(program.engine): program}
        self._functions: dict[int, dict[int, str]] = {}
        self._names: dict[int, Names] = {}

    def program(self, code: Program) -> SimProgram:
        """Return the program that the engine's code was made of."""
        found = self._programs.get(id(code))
        if found is None:
            found = next(each for each in self._kernel.programs if each.engine is code)
            self._programs[id(code)] = found
        return found

    def line(self, program: SimProgram, pc: int) -> Line | None:
        """Return the source line of a slot; None without line info."""
        return program.lines.at(pc)

    def function(self, program: SimProgram, pc: int) -> str:
        """Name the function that starts at a slot."""
        known = self._functions.get(program.id)
        if known is None:
            found = functions(program.spec.func_info, program.btf, None)
            known = self._functions[program.id] = {each.insn: each.name for each in found}
        return known.get(pc, f"the function at {pc}")

    def text(self, program: SimProgram, pc: int) -> str:
        """Write the instruction at a slot, maps by their names."""
        names = self._names.get(program.id)
        if names is None:
            names = self._names[program.id] = Names(maps=_map_names(program), helper=helper_text)
        return text_at(program.spec.insns, pc, names) if pc < len(program.spec.insns) else "(past the end)"


def _map_names(program: SimProgram) -> dict[int, str]:
    by_fd = {WideSource.MAP_FD, WideSource.MAP_VALUE}
    insns = program.spec.insns
    return {
        insns[slot].imm: target.name
        for slot, target in program.map_slots.items()
        if insns[slot].opcode == LD_IMM64 and insns[slot].src in by_fd
    }
