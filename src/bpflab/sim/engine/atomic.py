"""Atomic operations on memory (RFC 9669 section 5.3; load-acquire, store-release linux/bpf.h).

A run is never interrupted inside a step, so each of them is atomic here by nature.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import SIZE_MASK, AtomicOp, InsnClass, Mode, Size
from bpflab.sim.engine.step import WORD, unknown
from bpflab.sim.engine.store import writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Build, Builder, Registers, StepFunction
    from bpflab.sim.memory import Memory

FETCH: Final = 0x01

_OPERATIONS: Final[dict[int, Callable[[int, int], int]]] = {
    AtomicOp.ADD: operator.add,
    AtomicOp.OR: operator.or_,
    AtomicOp.AND: operator.and_,
    AtomicOp.XOR: operator.xor,
}


def _width(build: Build) -> int:
    return Size(build.insn.opcode & SIZE_MASK).width


def aligned(memory: Memory, address: int, size: int, *, write: bool) -> int:
    """Check what atomics always need: an address that is a multiple of their size."""
    if address & (size - 1):
        raise memory.fault(address, size, write=write)
    return address


def _modify(build: Build, operation: Callable[[int, int], int], fetch: bool) -> StepFunction:
    insn, memory, size, after = build.insn, build.memory, _width(build), build.after
    dst, src, off, put = insn.dst, insn.src, insn.off, writer(build)

    def step(regs: Registers, _run: Run) -> int:
        address = aligned(memory, (regs[dst] + off) & WORD, size, write=True)
        old = memory.load(address, size)
        put(address, operation(old, regs[src]))
        if fetch:
            regs[src] = old
        return after

    return step


def _compare_exchange(build: Build) -> StepFunction:
    insn, memory, size, after = build.insn, build.memory, _width(build), build.after
    dst, src, off, put, cut = insn.dst, insn.src, insn.off, writer(build), (1 << size * 8) - 1

    def step(regs: Registers, _run: Run) -> int:
        address = aligned(memory, (regs[dst] + off) & WORD, size, write=True)
        old = memory.load(address, size)
        put(address, +regs[src] if old == regs[0] & cut else old)
        regs[0] = old
        return after

    return step


def _load_acquire(build: Build) -> StepFunction:
    insn, memory, size, after = build.insn, build.memory, _width(build), build.after
    dst, src, off = insn.dst, insn.src, insn.off

    def step(regs: Registers, _run: Run) -> int:
        address = aligned(memory, (regs[src] + off) & WORD, size, write=False)
        regs[dst] = memory.load(address, size)
        return after

    return step


def _store_release(build: Build) -> StepFunction:
    insn, memory, size, after = build.insn, build.memory, _width(build), build.after
    dst, src, off, put = insn.dst, insn.src, insn.off, writer(build)

    def step(regs: Registers, _run: Run) -> int:
        address = aligned(memory, (regs[dst] + off) & WORD, size, write=True)
        put(address, regs[src])
        return after

    return step


_WHOLE: Final[dict[int, Builder]] = {
    AtomicOp.CMPXCHG: _compare_exchange,
    AtomicOp.LOAD_ACQ: _load_acquire,
    AtomicOp.STORE_REL: _store_release,
}


def _build(build: Build) -> StepFunction:
    imm = build.insn.imm
    if imm in {AtomicOp.LOAD_ACQ, AtomicOp.STORE_REL}:
        return _WHOLE[imm](build)
    if _width(build) < 4:
        return unknown(build)
    if imm == AtomicOp.CMPXCHG:
        return _compare_exchange(build)
    if imm == AtomicOp.XCHG:
        return _modify(build, _second, fetch=True)
    operation = _OPERATIONS.get(imm & ~FETCH)
    return _modify(build, operation, fetch=bool(imm & FETCH)) if operation else unknown(build)


def _second(_old: int, new: int) -> int:
    return new


BUILDERS: Final[dict[int, Builder]] = {InsnClass.STX | Mode.ATOMIC | size: _build for size in Size}
