"""The check itself: every path, instruction by instruction, until nothing new can be found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import CALL, CLASS_MASK, EXIT, MAY_GOTO, CallSource, InsnClass
from bpflab.abi.verifier_rules import MAX_PROCESSED
from bpflab.sim.check.arithmetic import alu
from bpflab.sim.check.branch import jump
from bpflab.sim.check.checker import Checker
from bpflab.sim.check.depth import check_depths
from bpflab.sim.check.invoke import call, leave
from bpflab.sim.check.liveness import live_registers
from bpflab.sim.check.log import render, summary
from bpflab.sim.check.seen import Seen
from bpflab.sim.check.state import Frame, Path, State
from bpflab.sim.check.structure import examine
from bpflab.sim.check.subject import Checked, Refused
from bpflab.sim.check.transfer import load, store, store_register, wide_or_packet
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import ANY, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.asm.insn import Insn
    from bpflab.sim.check.subject import Subject

    Step = Callable[[Checker, State, Insn], int | None]


def check(subject: Subject) -> Checked:
    """Check a program as the kernel does at load. Raises `Refused`."""
    if not subject.insns or len(subject.insns) > MAX_PROCESSED:
        raise Refused(Errno.E2BIG, "")
    try:
        structure = examine(subject.insns, func_info=subject.func_info, entry=subject.exception_callback)
        checker = Checker(subject, structure)
    except Refused as refused:
        raise Refused(refused.errno, refused.log + summary(0), refused.slot) from None
    try:
        _Exploration(checker).run()
        check_depths(checker)
    except Refused as refused:
        log = render(subject.insns, checker.last) if refused.slot is not None else ""
        raise Refused(refused.errno, log + refused.log + summary(checker.processed), refused.slot) from None
    return Checked(
        checker.context,
        checker.depths,
        summary(checker.processed),
        checker.processed,
        frozenset(checker.probes - checker.context.keys()),
    )


def _jump_or_call(checker: Checker, state: State, insn: Insn) -> int | None:
    if insn.opcode == CALL:
        return call(checker, state, insn)
    return leave(checker, state, insn) if insn.opcode == EXIT else jump(checker, state, insn)


_STEPS: Final[dict[int, Step]] = {
    InsnClass.ALU: alu,
    InsnClass.ALU64: alu,
    InsnClass.JMP: _jump_or_call,
    InsnClass.JMP32: _jump_or_call,
    InsnClass.LDX: load,
    InsnClass.ST: store,
    InsnClass.STX: store_register,
    InsnClass.LD: wide_or_packet,
}


MAIN: Final = frozenset({1})
"""The register that holds the context when the program starts."""


class _Exploration:
    """One walk over all paths of a checker's program."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.insns = checker.subject.insns
        self.joins = checker.structure.targets | set(checker.structure.starts)
        self.live = live_registers(self.insns)
        self.seen: dict[tuple[int, tuple[int, ...]], Seen] = {}
        self.loops_end = not any(_limits_loops(insn) for insn in self.insns)

    def run(self) -> None:
        """Follow the program, and each of its global functions by itself."""
        waiting = self.checker.waiting
        for start in (0, *sorted(self.checker.subject.globals.keys() - {0})):
            waiting.append(_entry(start, self.checker.subject.globals.get(start, MAIN)))
            while waiting:
                self.follow(waiting.pop())

    def follow(self, state: State) -> None:
        """Follow one path to its end."""
        checker, slot = self.checker, state.pc
        while slot not in self.joins or self.is_new(state):
            checker.last = state
            checker.processed += 1
            if checker.processed > MAX_PROCESSED:
                checker.refuse(f"BPF program is too large. Processed {checker.processed} insn", Errno.E2BIG)
            insn = self.insns[slot]
            state.path = Path(state.path, slot)
            following = _STEPS[insn.opcode & CLASS_MASK](checker, state, insn)
            if following is None:
                return
            state.pc = slot = following

    def is_new(self, state: State) -> bool:
        """Remember a state at a place where paths meet; False if one like it was followed before."""
        seen = self.seen.get((state.pc, state.sites))
        if seen is None:
            seen = self.seen[state.pc, state.sites] = Seen(self.live[state.pc])
        known = seen.known(state)
        if known is None:
            seen.add(state)
            return True
        if self.loops_end and seen.repeats(known, state):
            self.checker.last = state
            self.checker.refuse(f"infinite loop detected at insn {state.pc}", Errno.EINVAL)
        return False


def _entry(start: int, contexts: frozenset[int]) -> State:
    """Make the state at the start: the context where it is, and for a global function anything elsewhere."""
    frame = Frame(start, -1)
    for reg in range(1, 6):
        frame.regs[reg] = Value(Kind.CTX) if reg in contexts else ANY if start else frame.regs[reg]
    frame.regs[10] = Value(Kind.STACK)
    return State(start, [frame])


def _limits_loops(insn: Insn) -> bool:
    """Tell whether an instruction can end a loop although no register changes."""
    return insn.opcode == MAY_GOTO or (insn.opcode == CALL and insn.src == CallSource.KFUNC)
