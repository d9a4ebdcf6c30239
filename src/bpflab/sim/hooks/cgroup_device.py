"""Device programs of cgroups: an access to a device in, 1 to allow it out (kernel/bpf/cgroup.c)."""

from __future__ import annotations

from typing import Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.cgroup import CgroupHook

HOOK: Final = CgroupHook(ProgType.CGROUP_DEVICE, "bpf_cgroup_dev_ctx")
