"""tc classifiers."""

from __future__ import annotations

from typing import Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.skb import SkbHook
from bpflab.sim.skb_access import TC

HOOK: Final = SkbHook(ProgType.SCHED_CLS, TC, with_mac=True)
