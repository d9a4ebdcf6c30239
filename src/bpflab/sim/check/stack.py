"""The stack: its bounds, and the registers that programs keep there (check_stack_write and its like)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import STACK_SIZE
from bpflab.sim.check.extent import MAX_VARIABLE_OFFSET
from bpflab.sim.check.state import Spill
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import SCALAR, Value, constant, of_width

if TYPE_CHECKING:
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.extent import Access
    from bpflab.sim.check.state import State

WORD_SIZE: Final = 8


def access_stack(checker: Checker, state: State, pointer: Value, wanted: Access) -> Value:
    """Check a load or store on a function's stack, and keep or give what is known to lie there."""
    check_stack(checker, state, pointer, wanted)
    frame, off = state.frames[pointer.frame], pointer.off + wanted.off
    if wanted.stored is None:
        return SCALAR if pointer.varies else _filled(checker, frame.spills, off, wanted.size)
    _check_spill(checker, state, pointer, wanted)
    forget_stack(state, pointer, wanted)
    if not pointer.varies:
        frame.spills[off] = Spill(wanted.size, wanted.stored)
    return SCALAR


def check_stack(checker: Checker, state: State, pointer: Value, wanted: Access) -> None:
    """Refuse an access outside the 512 bytes below r10."""
    if pointer.vague:
        return
    verb, reg, size = "write to" if wanted.write else "read from", wanted.reg, wanted.size
    if pointer.high >= MAX_VARIABLE_OFFSET or pointer.low <= -MAX_VARIABLE_OFFSET:
        checker.refuse(f"invalid unbounded variable-offset {verb} stack R{reg}")
    off = pointer.off + wanted.off
    least, greatest = off + pointer.low, off + pointer.high + size
    if not -STACK_SIZE <= least < 0 or greatest > 0:
        kind = f"variable-offset {verb} stack R{reg} var_off" if pointer.varies else f"{verb} stack R{reg}"
        errno = Errno.EINVAL if -STACK_SIZE <= least < 0 else Errno.EACCES
        checker.refuse(f"invalid {kind} off={off} size={size}", errno)
    checker.uses_stack(state, pointer.frame, least)


def forget_stack(state: State, pointer: Value, wanted: Access) -> None:
    """Note that stack was overwritten, all that the pointer may point to."""
    frame, off = state.frames[pointer.frame], pointer.off + wanted.off
    if pointer.vague:
        frame.spills.clear()
    else:
        frame.forget(off + pointer.low, off + pointer.high + wanted.size)


def _check_spill(checker: Checker, state: State, pointer: Value, wanted: Access) -> None:
    stored = wanted.stored
    if stored is None or not stored.is_pointer:
        return
    if wanted.size != WORD_SIZE:
        checker.refuse("invalid size of register spill")
    if stored.kind is Kind.STACK and pointer.frame != len(state.frames) - 1:
        checker.refuse("cannot spill pointers to stack into stack frame of the caller", Errno.EINVAL)


def _filled(checker: Checker, spills: dict[int, Spill], off: int, size: int) -> Value:
    spill = spills.get(off)
    if spill is not None and spill.size == size:
        return spill.value
    start = off - off % WORD_SIZE
    held = spills.get(start)
    if held is not None and held.value.is_pointer:
        checker.refuse("invalid size of register fill")
    if spill is not None and spill.value.constant == 0 and size < spill.size:
        return constant(0)
    return of_width(size)
