"""Stores to memory, of a register or an immediate (RFC 9669 section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import SIZE_MASK, InsnClass, Mode, Size
from bpflab.sim.engine.load import word_format
from bpflab.sim.engine.step import HALF, WORD
from bpflab.sim.memory import OFFSET_BITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Build, Builder, Registers, StepFunction

    Put = Callable[[int, int], None]


def writer(build: Build) -> Put:
    """Build the checked write of a number to an address."""
    memory, size = build.memory, Size(build.insn.opcode & SIZE_MASK).width
    pack, cut = word_format(size, memory.order).pack_into, (1 << size * 8) - 1
    regions, fault = memory.regions, memory.fault
    strict = size - 1 if build.strict_alignment else 0
    touched = (1 << size) - 1

    def put(address: int, value: int) -> None:
        try:
            region = regions[address >> OFFSET_BITS]
        except KeyError:
            raise fault(address, size, write=True) from None
        offset = address & HALF
        if offset < region.low or offset + size > region.high or not region.writable or address & strict:
            raise fault(address, size, write=True)
        pack(region.data, offset, value & cut)
        if region.unwritten and (fresh := region.unwritten & (touched << offset)):
            region.unwritten ^= fresh

    return put


def _store_reg(build: Build) -> StepFunction:
    dst, src, off, after = build.insn.dst, build.insn.src, build.insn.off, build.after
    put = writer(build)

    def step(regs: Registers, _run: Run) -> int:
        put((regs[dst] + off) & WORD, regs[src])
        return after

    return step


def _store_imm(build: Build) -> StepFunction:
    dst, value, off, after = build.insn.dst, build.insn.imm & WORD, build.insn.off, build.after
    put = writer(build)

    def step(regs: Registers, _run: Run) -> int:
        put((regs[dst] + off) & WORD, value)
        return after

    return step


BUILDERS: Final[dict[int, Builder]] = {
    **{InsnClass.STX | Mode.MEM | size: _store_reg for size in Size},
    **{InsnClass.ST | Mode.MEM | size: _store_imm for size in Size},
}
