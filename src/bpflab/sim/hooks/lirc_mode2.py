"""Decoders of infrared signals: one sample of 32 bits, read whole (drivers/media/rc/bpf-lirc.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout
from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.fixed import FixedHook

if TYPE_CHECKING:
    from bpflab.sim.check import CtxField, CtxRule
    from bpflab.sim.programs import ProgSpec

SAMPLE: Final = layout("lirc_mode2")


class LircHook(FixedHook):
    """The one read that there is."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow it."""
        plain = super().context(spec)

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            return plain(offset, size, store) if size == SAMPLE.size else None

        return rule


HOOK: Final = LircHook(ProgType.LIRC_MODE2, SAMPLE.name, size=SAMPLE.size)
