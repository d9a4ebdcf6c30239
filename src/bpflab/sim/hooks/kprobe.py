"""Programs of kprobes and uprobes: the registers where the probe was hit (kernel/trace/bpf_trace.c).

The kernel knows one architecture's registers; here those of any may be given, so the rule for offsets is that of the
largest, and a run is refused whose registers the program reads past.
"""

from __future__ import annotations

from typing import Final

from bpflab.abi.calling import CONVENTIONS
from bpflab.abi.context import layout
from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.fixed import FixedHook

LARGEST: Final = max(layout("pt_regs", architecture).size for architecture in CONVENTIONS)

HOOK: Final = FixedHook(ProgType.KPROBE, "pt_regs", size=LARGEST)
