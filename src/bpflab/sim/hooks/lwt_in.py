"""Programs of a route's input."""

from __future__ import annotations

from typing import Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.skb import SkbHook
from bpflab.sim.skb_access import LWT

HOOK: Final = SkbHook(ProgType.LWT_IN, LWT, packet_writable=False)
