"""Functions and callbacks entered, and what is known when one begins (set_callee_state, push_callback_call)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.insn import MAX_CALL_FRAMES
from bpflab.sim.check.state import Frame
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import ANY, UNSET, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State


def forget_arguments(state: State) -> None:
    """Make r0 to r5 unset, as any call leaves them."""
    state.regs[0:6] = [UNSET] * 6


def open_frame(checker: Checker, state: State, target: int, *, callback: bool = False) -> None:
    """Enter a function with the caller's r1 to r5, or (a callback) with arguments that may be anything."""
    if len(state.frames) >= MAX_CALL_FRAMES:
        checker.refuse(f"the call stack of {len(state.frames) + 1} frames is too deep", Errno.E2BIG)
    frame = Frame(target, state.pc, callback=callback)
    frame.regs[1:6] = [ANY] * 5 if callback else state.regs[1:6]
    frame.regs[10] = Value(Kind.STACK, frame=len(state.frames))
    forget_arguments(state)
    state.frames.append(frame)


def wait_for_callback(checker: Checker, state: State, target: int, arguments: Sequence[Value]) -> None:
    """Leave a callback to be followed, with what its first registers hold.

    What it may change on the caller's stack is not known after it.
    """
    for frame in state.frames:
        frame.spills = {off: spill for off, spill in frame.spills.items() if spill.value.is_pointer}
    checker.calls[state.frame.start].add(target)
    checker.callbacks.add(target)
    other = state.fork(target)
    open_frame(checker, other, target, callback=True)
    other.frame.site = state.pc
    other.regs[1 : 1 + len(arguments)] = arguments
    checker.waiting.append(other)
