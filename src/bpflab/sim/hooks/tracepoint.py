"""Tracepoint programs: the event's record, but for its first eight bytes (kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import Final

from bpflab.abi.prog_types import ProgType
from bpflab.abi.record import COMMON, LARGEST
from bpflab.sim.hooks.fixed import FixedHook

HOOK: Final = FixedHook(ProgType.TRACEPOINT, "record", first=COMMON, size=LARGEST)
