"""What programs have in common whose context is read alone: registers, records, a sample.

The test gives its bytes; as many as the program reads. The module is found under no program type's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.hooks.plain import PlainHook, check_plain
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import ProgSpec, SimProgram


class FixedHook(PlainHook):
    """Aligned reads between two offsets of a context called `name`, and a run on the bytes given.

    What comes out is the context with what helpers changed in it.
    """

    def __init__(
        self,
        prog_type: ProgType,
        name: str,
        *,
        first: int = 0,
        size: int,
        returns: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(prog_type, returns)
        self.name = name
        self.first, self.size = first, size

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow aligned reads within the bounds."""
        del spec

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            inside = self.first <= offset and offset + size <= self.size and not offset % size
            return CtxField(Kind.SCALAR, offset, size) if inside and not store else None

        return rule

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run once; EINVAL for a context that is shorter than the program reads, E2BIG for one that is too long."""
        check_plain(given) if not given.wants_ctx else refuse_if(given.data or given.repeat or given.batch_size)
        raw = given.ctx or b""
        refuse_if(len(raw) < program.context_end)
        refuse_if(len(raw) > self.size, Errno.E2BIG)
        with kernel.memory.scope() as scope:
            context = scope.add(RegionKind.CONTEXT, bytearray(raw), name=self.name, writable=False)
            retval = invoke(Environment(kernel, program, context.address), scope)
            return RunOutput(retval, ctx=bytes(context.data) if given.wants_ctx else None)
