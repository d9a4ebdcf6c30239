"""Socket programs of cgroups: made, bound, released (net/core/filter.c). The context is the socket itself."""

from __future__ import annotations

from typing import Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.cgroup import CgroupHook

HOOK: Final = CgroupHook(ProgType.CGROUP_SOCK, "bpf_sock")
