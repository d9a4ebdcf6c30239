"""Calls of helpers, kernel functions and the program's own functions, and exit (RFC 9669 4.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL, EXIT, CallSource
from bpflab.sim.engine.step import UNSET, WORD, trap, unknown
from bpflab.sim.fault import FaultKind

if TYPE_CHECKING:
    from bpflab.sim.engine.run import Run
    from bpflab.sim.engine.step import Build, Builder, HelperFunction, Registers, StepFunction

_NO_ARGUMENTS: Final = (UNSET,) * 5


def forget_arguments(regs: Registers) -> None:
    """Make r1 to r5 unset, as any call leaves them."""
    regs[1:6] = _NO_ARGUMENTS


def _call_function(function: HelperFunction, after: int) -> StepFunction:
    def step(regs: Registers, run: Run) -> int:
        regs[0] = function(run, regs[1], regs[2], regs[3], regs[4], regs[5]) & WORD
        regs[1:6] = _NO_ARGUMENTS
        return after

    return step


def _call_helper(build: Build) -> StepFunction:
    function = build.helpers.get(build.insn.imm)
    if function is None:
        return trap(FaultKind.UNKNOWN_HELPER, f"there is no helper {build.insn.imm} here")
    return _call_function(function, build.after)


def _call_kfunc(build: Build) -> StepFunction:
    function = build.kfuncs.get(build.insn.imm)
    if function is None:
        return trap(FaultKind.UNKNOWN_HELPER, f"there is no kernel function with BTF id {build.insn.imm} here")
    return _call_function(function, build.after)


def _call_subprog(build: Build) -> StepFunction:
    target, after = build.target(build.insn.imm), build.after

    def step(_regs: Registers, run: Run) -> int:
        run.enter(after)
        return target

    return step


_BY_SOURCE: Final[dict[int, Builder]] = {
    CallSource.HELPER: _call_helper,
    CallSource.SUBPROG: _call_subprog,
    CallSource.KFUNC: _call_kfunc,
}


def _call(build: Build) -> StepFunction:
    return _BY_SOURCE.get(build.insn.src, unknown)(build)


def _exit(_build: Build) -> StepFunction:
    def step(_regs: Registers, run: Run) -> int:
        return run.leave()

    return step


BUILDERS: Final[dict[int, Builder]] = {CALL: _call, EXIT: _exit}
