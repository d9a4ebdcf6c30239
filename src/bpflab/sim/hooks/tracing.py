"""Tracing programs: fentry, fexit, fmod_ret and typed tracepoints (kernel/bpf/trampoline.c, kernel/bpf/verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.typed import TypedHook

if TYPE_CHECKING:
    from bpflab.sim.programs import ProgSpec

RETURNS: Final = {
    AttachType.TRACE_FENTRY: (0, 0),
    AttachType.TRACE_FEXIT: (0, 0),
    AttachType.TRACE_RAW_TP: (0, 0),
    AttachType.TRACE_ITER: (0, 1),
}


class TracingHook(TypedHook):
    """What may be returned depends on where the program attaches."""

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Return 0 alone for most; any number for fmod_ret."""
        return RETURNS.get(AttachType(spec.expected_attach_type))


HOOK: Final = TracingHook(ProgType.TRACING)
