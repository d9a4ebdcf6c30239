"""Syscall programs: any bytes as context, which the program may change (kernel/bpf/syscall.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType
from bpflab.abi.run_rules import RULES
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.hooks.plain import PlainHook, check_plain
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import ProgSpec, SimProgram

LARGEST: Final = RULES[ProgType.SYSCALL].max_ctx


class SyscallHook(PlainHook):
    """Aligned reads and writes of the context, which goes back to where it came from."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow aligned accesses below 65535."""
        del spec

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            del store
            return CtxField(Kind.SCALAR, offset, size) if 0 <= offset < LARGEST and not offset % size else None

        return rule

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run once; the context reaches at least as far as the program does."""
        check_plain(given)
        refuse_if(given.flags)
        raw = given.ctx or b""
        refuse_if(not program.context_end <= len(raw) <= LARGEST)
        with kernel.memory.scope() as scope:
            context = scope.add(RegionKind.CONTEXT, bytearray(raw), name="context")
            retval = invoke(Environment(kernel, program, context.address), scope)
            return RunOutput(retval, ctx_in=bytes(context.data) if raw else None)


HOOK: Final = SyscallHook(ProgType.SYSCALL)
