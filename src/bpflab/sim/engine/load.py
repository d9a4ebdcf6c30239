"""Loads from memory, plain and sign-extending (RFC 9669 sections 5.1 and 5.2)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import InsnClass, Mode, Size
from bpflab.sim.engine.step import HALF, WORD
from bpflab.sim.fault import Fault
from bpflab.sim.memory import OFFSET_BITS

if TYPE_CHECKING:
    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Build, Builder, Registers, StepFunction

_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""struct's letters for unsigned integers by width; in lower case they are signed."""


def word_format(size: int, order: str, *, signed: bool = False) -> Struct:
    """Give the codec of an integer of `size` bytes in a byte order."""
    code = _CODES[size].lower() if signed else _CODES[size]
    return Struct(("<" if order == "little" else ">") + code)


def _load(build: Build) -> StepFunction:
    insn, memory, after = build.insn, build.memory, build.after
    dst, src, off, size = insn.dst, insn.src, insn.off, Size(insn.opcode & 0x18).width
    signed = insn.opcode & 0xE0 == Mode.MEMSX
    unpack = word_format(size, memory.order, signed=signed).unpack_from
    regions, fault = memory.regions, memory.fault
    strict = size - 1 if build.strict_alignment else 0
    touched = (1 << size) - 1

    def step(regs: Registers, _run: Run) -> int:
        address = (regs[src] + off) & WORD
        try:
            region = regions[address >> OFFSET_BITS]
        except KeyError:
            raise fault(address, size) from None
        offset = address & HALF
        if offset < region.low or offset + size > region.high or address & strict:
            raise fault(address, size)
        if region.unwritten and region.unwritten & (touched << offset) and not region.forgives(offset, size):
            raise fault(address, size)
        regs[dst] = unpack(region.data, offset)[0] & WORD
        return after

    return _probing(build, step) if build.probe else step


def _probing(build: Build, step: StepFunction) -> StepFunction:
    """Read 0 where there is no memory, as a load through a typed pointer does (PROBE_MEM in kernel/bpf/core.c)."""
    dst, after = build.insn.dst, build.after

    def probe(regs: Registers, run: Run) -> int:
        try:
            return step(regs, run)
        except Fault:
            regs[dst] = 0
            return after

    return probe


BUILDERS: Final[dict[int, Builder]] = {
    **{InsnClass.LDX | Mode.MEM | size: _load for size in Size},
    **{InsnClass.LDX | Mode.MEMSX | size: _load for size in (Size.B, Size.H, Size.W)},
}
