"""Programs before a route's transmission."""

from __future__ import annotations

from typing import Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.skb import SkbHook
from bpflab.sim.skb_access import LWT

HOOK: Final = SkbHook(ProgType.LWT_XMIT, LWT, packet_writable=True)
