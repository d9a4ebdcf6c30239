"""Atomic operations (RFC 9669 section 5.3), load-acquire and store-release (linux/bpf.h)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bpflab.abi.insn import AtomicOp, InsnClass, Mode, Size
from bpflab.asm.insn import Insn
from bpflab.asm.operand import Reg, offset16, register, size_of

ATOMIC_SIZES: Final = (Size.W, Size.DW)
"""The widths of an atomic that reads and writes."""


@dataclass(frozen=True, slots=True)
class Atomic:
    """A read-modify-write of W or DW at base + off, called as `atomic_add(size, base, src, off)`.

    Those called fetch, and `xchg`, leave the old value in src. `cmpxchg` stores src if the memory
    equals r0, and leaves the old value in r0.
    """

    name: str
    op: AtomicOp

    def __call__(self, size: Size, base: Reg, src: Reg, off: int = 0) -> Insn:
        """Make the instruction."""
        call = (self.name, size, base, src, off)
        opcode = InsnClass.STX | Mode.ATOMIC | size_of(call, size, ATOMIC_SIZES)
        numbers = register(call, "base", base), register(call, "src", src)
        return Insn(opcode, *numbers, offset16(call, off), self.op.value)


atomic_add: Final = Atomic("atomic_add", AtomicOp.ADD)
atomic_or: Final = Atomic("atomic_or", AtomicOp.OR)
atomic_and: Final = Atomic("atomic_and", AtomicOp.AND)
atomic_xor: Final = Atomic("atomic_xor", AtomicOp.XOR)
atomic_fetch_add: Final = Atomic("atomic_fetch_add", AtomicOp.FETCH_ADD)
atomic_fetch_or: Final = Atomic("atomic_fetch_or", AtomicOp.FETCH_OR)
atomic_fetch_and: Final = Atomic("atomic_fetch_and", AtomicOp.FETCH_AND)
atomic_fetch_xor: Final = Atomic("atomic_fetch_xor", AtomicOp.FETCH_XOR)
xchg: Final = Atomic("xchg", AtomicOp.XCHG)
cmpxchg: Final = Atomic("cmpxchg", AtomicOp.CMPXCHG)


def load_acquire(size: Size, dst: Reg, base: Reg, off: int = 0) -> Insn:
    """Load from base + off into dst; nothing after it is seen to happen before it."""
    call = ("load_acquire", size, dst, base, off)
    numbers = register(call, "dst", dst), register(call, "base", base)
    opcode = InsnClass.STX | Mode.ATOMIC | size_of(call, size)
    return Insn(opcode, *numbers, offset16(call, off), AtomicOp.LOAD_ACQ.value)


def store_release(size: Size, base: Reg, src: Reg, off: int = 0) -> Insn:
    """Store src at base + off; nothing before it is seen to happen after it."""
    call = ("store_release", size, base, src, off)
    numbers = register(call, "base", base), register(call, "src", src)
    opcode = InsnClass.STX | Mode.ATOMIC | size_of(call, size)
    return Insn(opcode, *numbers, offset16(call, off), AtomicOp.STORE_REL.value)
