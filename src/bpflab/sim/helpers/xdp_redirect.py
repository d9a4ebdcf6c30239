"""Frames sent elsewhere by way of a map (include/linux/filter.h, __bpf_xdp_redirect_map)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.helper_flags import RedirectFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.verdicts import XDP
from bpflab.sim.events import Redirect
from bpflab.sim.maps.devmap import TargetMap

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment

VERDICTS: Final = int(XDP.ABORTED | XDP.DROP | XDP.PASS | XDP.TX)
"""The low flags: the verdict to return when there is nothing at the key."""
BROADCAST: Final = int(RedirectFlag.BROADCAST)
TO_MANY: Final = int(RedirectFlag.BROADCAST | RedirectFlag.EXCLUDE_INGRESS)
DEVICES: Final = frozenset({MapType.DEVMAP, MapType.DEVMAP_HASH})


def redirect_map(env: Environment, map: SimMap, key: int, flags: int) -> int:
    """Choose the entry of a device, CPU or socket map that the frame goes to."""
    if flags & ~(VERDICTS | (TO_MANY if map.type in DEVICES else 0)):
        return XDP.ABORTED
    index = key & 0xFFFFFFFF
    found = isinstance(map, TargetMap) and map.has_target(index)
    if not (found or flags & BROADCAST):
        env.state.pop("redirect", None)
        return flags & VERDICTS
    env.state["redirect"] = Redirect(env.running.name, "redirect_map", map=map.name, index=index, flags=flags & TO_MANY)
    return XDP.REDIRECT
