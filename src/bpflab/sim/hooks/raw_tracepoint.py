"""Raw tracepoint programs: up to twelve numbers as context (kernel/trace/bpf_trace.c, net/bpf/test_run.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.context import MAX_TRACING_ARGS
from bpflab.abi.errno import Errno
from bpflab.abi.flags import RunFlag
from bpflab.abi.prog_types import ProgType
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.hooks.plain import PlainHook, check_plain
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import ProgSpec, SimProgram

SIZE: Final = 8 * MAX_TRACING_ARGS


class RawTracepointHook(PlainHook):
    """Reads of whole and part arguments; a run on a chosen CPU."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow aligned reads of the arguments."""
        del spec

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            inside = 0 <= offset < SIZE and not offset % size
            return CtxField(Kind.SCALAR, offset, size) if inside and not store else None

        return rule

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run once on the arguments given, which reach at least as far as the program reads."""
        check_plain(given)
        raw = given.ctx or b""
        refuse_if(not program.context_end <= len(raw) <= SIZE)
        chosen = bool(given.flags & RunFlag.RUN_ON_CPU)
        refuse_if(given.cpu and not chosen)
        refuse_if(given.cpu >= kernel.machine.possible_cpus, Errno.ENXIO)
        before = kernel.cpu
        kernel.cpu = given.cpu if chosen else before
        try:
            with kernel.memory.scope() as scope:
                context = scope.add(RegionKind.CONTEXT, bytearray(raw), name="arguments", writable=False)
                return RunOutput(invoke(Environment(kernel, program, context.address), scope))
        finally:
            kernel.cpu = before


HOOK: Final = RawTracepointHook(ProgType.RAW_TRACEPOINT)
