"""How programs and callbacks may end: nothing held, a result in range (check_resource_leak, check_return_code)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import CallSource
from bpflab.abi.prog_types import ProgType
from bpflab.sim.check.sections import check_left, may_sleep
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import Value, lower_half, signed_bounds

if TYPE_CHECKING:
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import Frame, State

RETURN_32_BITS: Final = frozenset({ProgType.LSM})
"""Types of which the kernel takes the lower half of r0, as an int (check_return_code)."""
AT_EXIT: Final = "BPF_EXIT instruction in main prog"
AT_THROW: Final = "bpf_throw"


def end_program(checker: Checker, state: State) -> None:
    """Check the exit of the program, of a global function, or of the exception callback."""
    if state.held.lock:
        checker.refuse(f"{AT_EXIT} cannot be used inside bpf_spin_lock-ed region", Errno.EINVAL)
    _check_held(checker, state, AT_EXIT)
    start = state.frame.start
    by_itself = start in checker.subject.globals and start != checker.subject.exception_callback
    if checker.subject.returns_nothing and not by_itself:
        return
    checker.read(state, 0)
    if not by_itself:
        _check_result(checker, state, 0)


def throw(checker: Checker, state: State) -> None:
    """Check that a program may throw here; what it throws is its result where no callback is given it."""
    checker.throwers.setdefault(state.frame.start, state.pc)
    if not checker.subject.exception_callback and not state.frame.start and len(state.frames) == 1:
        _check_result(checker, state, 1)
    _check_held(checker, state, AT_THROW)


def check_callback(checker: Checker, frame: Frame, result: Value) -> None:
    """Check what a callback returns: 0 or 1, and one that is called later always 0."""
    subject, insn = checker.subject, checker.subject.insns[frame.site]
    timer = insn.src == CallSource.HELPER and subject.helpers.helper(insn.imm).name == "timer_set_callback"
    later = timer or may_sleep(checker, frame)
    if result.kind is Kind.UNSET:
        checker.refuse("R0 !read_ok")
    if result.kind is Kind.SCALAR:
        _check_range(checker, result, (0, int(not later)), "callback return")


def _check_held(checker: Checker, state: State, how: str) -> None:
    if state.references:
        lines = [f"Unreleased reference id={each.id} alloc_insn={each.slot}" for each in state.references]
        lines.append(f"{how} would lead to reference leak")
        checker.refuse("\n".join(lines), Errno.EINVAL)
    check_left(checker, state, how)


def _check_result(checker: Checker, state: State, reg: int) -> None:
    result, wanted = checker.read(state, reg), checker.subject.return_range
    if wanted is None or result.kind is Kind.ANY:
        return
    if result.kind is not Kind.SCALAR:
        text = f"At program exit the register R{reg} is not a known value ({result.type_name})"
        checker.refuse(text, Errno.EINVAL)
    if checker.subject.type in RETURN_32_BITS:
        result = lower_half(result)
    _check_range(checker, result, wanted, "program exit", reg)


def _check_range(checker: Checker, result: Value, wanted: tuple[int, int], where: str, reg: int = 0) -> None:
    least, greatest = signed_bounds(result)
    within = wanted[0] <= least and greatest <= wanted[1]
    apart = greatest < wanted[0] or wanted[1] < least
    if within or (result.vague and not apart):
        return
    known = greatest - least < (1 << 64) - 1
    has = f"smin={least} smax={greatest}" if known else "unknown scalar value"
    range_ = f"[{wanted[0]}, {wanted[1]}]"
    checker.refuse(f"At {where} the register R{reg} has {has} should have been in {range_}", Errno.EINVAL)
