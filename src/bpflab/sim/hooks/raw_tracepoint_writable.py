"""Raw tracepoint programs that may write: the first argument is a buffer (kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.hooks.raw_tracepoint import RawTracepointHook

if TYPE_CHECKING:
    from bpflab.sim.check import CtxRule
    from bpflab.sim.programs import ProgSpec

POINTER: Final = 8


class WritableHook(RawTracepointHook):
    """The rules of raw tracepoints, and a first argument that is read whole and points to what may be written."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow aligned reads of the arguments."""
        plain = super().context(spec)

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            if offset != 0:
                return plain(offset, size, store)
            return CtxField(Kind.BUFFER, 0, POINTER) if size == POINTER and not store else None

        return rule


HOOK: Final = WritableHook(ProgType.RAW_TRACEPOINT_WRITABLE)
