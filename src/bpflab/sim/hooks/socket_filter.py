"""Socket filters."""

from __future__ import annotations

from typing import Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.skb import SkbHook
from bpflab.sim.skb_access import SOCKET_FILTER

HOOK: Final = SkbHook(ProgType.SOCKET_FILTER, SOCKET_FILTER, packet_writable=False)
