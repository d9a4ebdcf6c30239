"""One execution of a program: registers, frames, and the loop that drives its steps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from operator import length_hint
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from bpflab.abi.insn import MAX_CALL_FRAMES, MAX_LOOPS, MAX_TAIL_CALLS, REG_COUNT, STACK_SIZE
from bpflab.sim.engine.diagnose import explained, unset_register_fault
from bpflab.sim.engine.loop import Finished, Switched, advance, drive
from bpflab.sim.engine.program import function_at
from bpflab.sim.engine.step import UNSET
from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.sim.engine.program import Program
    from bpflab.sim.engine.step import PacketLoad, Registers
    from bpflab.sim.memory import Region, Scope

T = TypeVar("T")

DEFAULT_BUDGET: Final = 1_000_000
"""Instructions a run may execute before it is stopped."""

TRAIL_LENGTH: Final = 16
"""How many of the latest instructions a fault can tell."""

_CALLBACK: Final = -1
_FRAME_REGISTERS: Final = slice(6, 11)
_SCRATCH: Final = slice(0, 10)
_STACK_ROUND: Final = 16
"""The kernel counts a frame's stack in these units when it adds frames up (kernel/bpf/verifier.c)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a call keeps of its caller: where to go on, r6 to r10, iterations left for may_goto, its program's depth."""

    program: Program
    after: int
    saved: tuple[int, ...]
    loops_left: int
    depth: int


class Run:
    """A program under way. `execute` drives it to its end, `advance` by one instruction.

    `arguments` become r1 and up (the context, for a whole program); `entry` is the slot to begin at.
    `env` belongs to the kernel around the engine, which hands it to helpers unseen. `references`
    holds what the program must give back before it ends: an address or id, and a word for it;
    `again` says how often more it holds the same.
    `drive` is the loop in use, which a trace replaces.
    """

    def __init__(
        self,
        program: Program,
        scope: Scope,
        *,
        arguments: Sequence[int] = (),
        entry: int = 0,
        env: Any = None,  # noqa: ANN401 - opaque to the engine; its type is the kernel's affair
        cpu: int = 0,
        budget: int = DEFAULT_BUDGET,
        loops: int = MAX_LOOPS,
        packet_load: PacketLoad | None = None,
    ) -> None:
        self.program = program
        self.memory = program.memory
        self.scope = scope
        self.env = env
        self.cpu = cpu
        self.packet_load = packet_load
        self.budget = budget
        self.ticks = iter(range(budget))
        self.pc = entry
        self.frames: list[Frame] = []
        self.trail: deque[int] = deque(maxlen=TRAIL_LENGTH)
        self.tail_calls = 0
        self.loops = self.loops_left = loops
        self.references: dict[int, str] = {}
        self.again: dict[int, int] = {}
        self.drive: Callable[[Run], int] = drive
        self._depth = 0
        self._stacks: list[Region] = []
        self.regs: Registers = [UNSET] * REG_COUNT
        self.regs[1 : 1 + len(arguments)] = arguments
        self.regs[10] = self._open_stack()

    @property
    def steps(self) -> int:
        """Instructions executed so far."""
        return self.budget - length_hint(self.ticks)

    def execute(self) -> int:
        """Run to the end and return r0. Raises `Fault` with its moment filled in."""
        return self._explaining(self.drive)

    def advance(self) -> bool:
        """Execute one instruction; False when that ended the program and r0 is in `regs[0]`.

        The callbacks of a helper are part of the instruction that calls it.
        """
        return self._explaining(advance)

    def call(self, address: int, *arguments: int) -> int:
        """Run a function of a program to its end, from inside a helper: a callback. Returns its r0.

        It counts against the same budget. Raises `Fault` if `address` is not a function's.
        """
        found = function_at(self.memory, address)
        if found is None:
            raise Fault(FaultKind.HELPER_ARGUMENT, f"{address:#x} is not the address of a function")
        caller, scratch = (self.program, self.pc), self.regs[_SCRATCH]
        self.enter(_CALLBACK)
        self.regs[1 : 1 + len(arguments)] = arguments
        self.program, self.pc = found
        result = self.drive(self)
        self.regs[_SCRATCH] = scratch
        self.program, self.pc = caller
        return result

    def tail_call(self, program: Program) -> bool:
        """Go on in another program, from inside a helper: does not return if that is allowed.

        r1 keeps the context. False when the kernel's limit of tail calls is reached.
        """
        if self.tail_calls >= MAX_TAIL_CALLS:
            return False
        self.tail_calls += 1
        context = self.regs[1]
        self.regs[_SCRATCH] = [UNSET] * 10
        self.regs[1] = context
        self.scope.clear_stack(self._stacks[-1])
        self.loops_left = self.loops
        self._depth = len(self.frames)
        self._switch(program, 0)
        raise Switched

    def throw(self, cookie: int) -> NoReturn:
        """End all functions of the current program, from inside a kernel function: an exception. Does not return.

        Its exception callback goes on in their place; without one `cookie` is what the program returns.
        """
        while len(self.frames) > self._depth:
            frame = self.frames.pop()
            if frame.after == _CALLBACK:
                raise Fault(FaultKind.HELPER_ARGUMENT, "an exception was thrown from within a callback")
            self._close_stack()
            self.regs[_FRAME_REGISTERS] = frame.saved
        callback = self.program.exception_callback
        self.regs[_SCRATCH] = [UNSET] * 10
        self.regs[1 if callback else 0] = cookie
        if callback:
            self.scope.clear_stack(self._stacks[-1])
            self.loops_left = self.loops
        self._switch(self.program, callback or self.leave())
        raise Switched

    def acquire(self, reference: int, name: str) -> None:
        """Note something that the program must release before it ends, once for each time it was acquired."""
        if reference in self.references:
            self.again[reference] = self.again.get(reference, 0) + 1
        self.references[reference] = name

    def release(self, reference: int) -> None:
        """Cross out something acquired. Raises `Fault` if the program does not hold it."""
        if self.again.get(reference):
            self.again[reference] -= 1
        elif self.references.pop(reference, None) is None:
            raise Fault(FaultKind.HELPER_ARGUMENT, f"{reference:#x} is not something this program has acquired")

    def enter(self, after: int) -> None:
        """Open the frame of a function that goes back to slot `after`."""
        frames, regs = self.frames, self.regs
        if len(frames) + 1 >= MAX_CALL_FRAMES:
            raise Fault(FaultKind.CALL_DEPTH, f"a call would need more than {MAX_CALL_FRAMES} frames")
        frames.append(Frame(self.program, after, tuple(regs[_FRAME_REGISTERS]), self.loops_left, self._depth))
        self.loops_left = self.loops
        regs[0] = UNSET
        regs[6:10] = (UNSET,) * 4
        regs[10] = self._open_stack()

    def leave(self) -> int:
        """End the current function: back to its caller's slot, or out of the loop."""
        if not self.frames:
            self._end()
        self._check_stack()
        frame = self.frames.pop()
        self._close_stack()
        self.regs[1:6] = (UNSET,) * 5
        self.regs[_FRAME_REGISTERS] = frame.saved
        self.loops_left = frame.loops_left
        self._depth = frame.depth
        if frame.after == _CALLBACK:
            raise Finished
        if frame.program is not self.program:
            self._switch(frame.program, frame.after)
            raise Switched
        return frame.after

    def _end(self) -> None:
        _ = +self.regs[0]  # an unset r0 is a fault at exit
        if self.references:
            held = ", ".join(f"{name} ({reference:#x})" for reference, name in self.references.items())
            raise Fault(FaultKind.UNRELEASED_REFERENCE, f"the program ended without releasing {held}")
        self._close_stack()
        raise Finished

    def _switch(self, program: Program, pc: int) -> None:
        self.program, self.pc = program, pc
        self.trail.clear()

    def _open_stack(self) -> int:
        stack = self.scope.open_stack()
        self._stacks.append(stack)
        return stack.end

    def _close_stack(self) -> None:
        self.scope.close_stack(self._stacks.pop())

    def _check_stack(self) -> None:
        if not self.memory.check_uninitialised:
            return  # what was never written is not known then
        total = sum(_used(region) for region in self._stacks)
        if total > STACK_SIZE:
            reason = f"{len(self.frames) + 1} frames use {total} bytes of stack together, of {STACK_SIZE}"
            raise Fault(FaultKind.STACK_OVERFLOW, reason)

    def _explaining(self, act: Callable[[Run], T]) -> T:
        try:
            return act(self)
        except Fault as fault:
            explained(fault, self)
            self._abandon()
            raise
        except TypeError as error:
            unset = unset_register_fault(self)
            if unset is None:
                raise
            explained(unset, self)
            self._abandon()
            raise unset from error

    def _abandon(self) -> None:
        while self._stacks:
            self._close_stack()


def _used(stack: Region) -> int:
    """Bytes between the lowest one written and the frame pointer, in the kernel's units."""
    untouched = ~stack.unwritten & (stack.unwritten + 1)
    lowest = untouched.bit_length() - 1
    return (STACK_SIZE - lowest + _STACK_ROUND - 1) // _STACK_ROUND * _STACK_ROUND
