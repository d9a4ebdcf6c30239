"""Moves, byte swaps and 64-bit immediates (RFC 9669 sections 4.1, 4.2 and 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import ADDR_SPACE_CAST_OFF, LD_IMM64, AluOp, InsnClass, Source, WideSource
from bpflab.asm.insn import imm64
from bpflab.sim.engine.alu import signed
from bpflab.sim.engine.step import HALF, WORD, trap, unknown
from bpflab.sim.fault import FaultKind

if TYPE_CHECKING:
    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Build, Builder, Cast, Registers, StepFunction


def _constant(dst: int, value: int, after: int) -> StepFunction:
    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = value
        return after

    return step


def _copy(dst: int, src: int, mask: int, after: int) -> StepFunction:
    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = regs[src] & mask
        return after

    return step


def _cast(dst: int, src: int, cast: Cast, after: int) -> StepFunction:
    """Build a cast between the addresses of an arena that user space knows and those that programs use."""

    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = cast(regs[src] & WORD)
        return after

    return step


def _extend(build: Build, mask: int) -> StepFunction:
    dst, src, bits, after = build.insn.dst, build.insn.src, build.insn.off, build.after

    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = signed(regs[src], bits) & mask
        return after

    return step


def _move(build: Build) -> StepFunction:
    insn = build.insn
    mask = WORD if insn.cls is InsnClass.ALU64 else HALF
    if not insn.opcode & Source.X:
        return _constant(insn.dst, insn.imm & mask, build.after)
    if not insn.off:
        return _copy(insn.dst, insn.src, mask, build.after)
    if insn.off == ADDR_SPACE_CAST_OFF and mask == WORD and insn.imm in build.casts:
        return _cast(insn.dst, insn.src, build.casts[insn.imm], build.after)
    widths = (8, 16, 32) if mask == WORD else (8, 16)
    return _extend(build, mask) if insn.off in widths else unknown(build)


def _swap(build: Build) -> StepFunction:
    """Build to_le, to_be or bswap. The first two only cut when the target has that order already."""
    insn, after = build.insn, build.after
    if insn.imm not in {16, 32, 64}:
        return unknown(build)
    dst, size, mask = insn.dst, insn.imm // 8, (1 << insn.imm) - 1
    wanted = "big" if insn.opcode & Source.X else "little"
    if insn.cls is InsnClass.ALU and wanted == build.memory.order:
        return _copy(dst, dst, mask, after)

    def step(regs: Registers, _run: Run) -> int:
        regs[dst] = int.from_bytes((regs[dst] & mask).to_bytes(size, "little"), "big")
        return after

    return step


def _load_imm64(build: Build) -> StepFunction:
    insn, after = build.insn, build.pc + 2
    if build.after >= len(build.insns):
        return trap(FaultKind.BAD_INSN, "a 64-bit immediate load lacks its second half")
    if build.pc in build.addresses:
        return _constant(insn.dst, build.addresses[build.pc], after)
    if insn.src == WideSource.IMM:
        return _constant(insn.dst, imm64(insn, build.insns[build.after]), after)
    if insn.src == WideSource.FUNC:
        return _constant(insn.dst, build.program.address(build.after + insn.imm), after)
    return trap(FaultKind.BAD_INSN, f"nothing was linked to {insn}")


BUILDERS: Final[dict[int, Builder]] = {
    **{cls | AluOp.MOV | source: _move for cls in (InsnClass.ALU, InsnClass.ALU64) for source in Source},
    **{InsnClass.ALU | AluOp.END | source: _swap for source in Source},
    InsnClass.ALU64 | AluOp.END: _swap,
    LD_IMM64: _load_imm64,
}
