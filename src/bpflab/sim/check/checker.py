"""What the steps of the check share: the program, what was found out, and how to refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.insn import REG_COUNT, STACK_SIZE
from bpflab.sim.check.subject import Refused
from bpflab.sim.check.types import Kind

if TYPE_CHECKING:
    from bpflab.sim.check.state import State
    from bpflab.sim.check.structure import Structure
    from bpflab.sim.check.subject import CtxField, Subject
    from bpflab.sim.check.value import Value

FRAME_POINTER = 10


class Checker:
    """One check: its subject, the paths that wait, and facts that later stages need.

    `context` has the context access of each slot, `probes` the loads through typed pointers, `depths` the stack
    that each function uses, `calls` the functions that each function calls. `callbacks` are functions that helpers
    call, `throwers` those that throw exceptions, with the slot where they do.
    """

    def __init__(self, subject: Subject, structure: Structure) -> None:
        self.subject = subject
        self.structure = structure
        self.waiting: list[State] = []
        self.context: dict[int, CtxField] = {}
        self.plain: set[int] = set()
        self.probes: set[int] = set()
        self.depths: dict[int, int] = dict.fromkeys(structure.starts, 0)
        self.calls: dict[int, set[int]] = {start: set() for start in structure.starts}
        self.tail_callers: set[int] = set()
        self.callbacks: set[int] = set()
        self.throwers: dict[int, int] = {}
        self.processed = 0
        self.last: State | None = None
        self._ids = 0

    def new_id(self) -> int:
        """Give a number that no other value has."""
        self._ids += 1
        return self._ids

    def refuse(self, text: str, errno: Errno = Errno.EACCES) -> NoReturn:
        """End the check with an errno and the kernel's sentence."""
        raise Refused(errno, f"{text}\n", self.last.pc if self.last else None)

    def read(self, state: State, reg: int) -> Value:
        """Give what a register holds, which must be something."""
        if reg >= REG_COUNT:
            self.refuse(f"R{reg} is invalid", Errno.EINVAL)
        value = state.regs[reg]
        if value.kind is Kind.UNSET:
            self.refuse(f"R{reg} !read_ok")
        return value

    def writable(self, reg: int) -> None:
        """Check that a register may be written."""
        if reg >= REG_COUNT:
            self.refuse(f"R{reg} is invalid", Errno.EINVAL)
        if reg == FRAME_POINTER:
            self.refuse("frame pointer is read only")

    def write(self, state: State, reg: int, value: Value) -> None:
        """Set a register, and note it for the log."""
        state.regs[reg] = value
        if state.path is not None:
            state.path.written += ((reg, value),)

    def uses_stack(self, state: State, frame: int, off: int) -> None:
        """Note how far down a function's stack is used."""
        start = state.frames[frame].start
        self.depths[start] = max(self.depths[start], min(-off, STACK_SIZE))
