"""Perf event programs: the registers where the event fired, its period and address (kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.calling import CONVENTIONS
from bpflab.abi.context import layout
from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.fixed import FixedHook

if TYPE_CHECKING:
    from bpflab.sim.check import CtxField, CtxRule
    from bpflab.sim.programs import ProgSpec

WORD: Final = 8
LARGEST: Final = max(layout("bpf_perf_event_data", architecture).size for architecture in CONVENTIONS)
BEHIND_REGISTERS: Final = frozenset(
    layout("pt_regs", architecture).size + at for architecture in CONVENTIONS for at in range(2 * WORD)
)
"""Where some architecture has the period and the address, of which parts may be read."""


class PerfEventHook(FixedHook):
    """Aligned reads of whole registers, and of parts of what follows them."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow whole words, and parts where they may stand."""
        rule = super().context(spec)

        def narrow(offset: int, size: int, store: bool) -> CtxField | None:
            return rule(offset, size, store) if size == WORD or offset in BEHIND_REGISTERS else None

        return narrow


HOOK: Final = PerfEventHook(ProgType.PERF_EVENT, "bpf_perf_event_data", size=LARGEST)
