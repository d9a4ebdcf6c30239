"""cgroup_skb programs: 0 drops, 1 passes; at egress 2 and 3 also tell the sender of congestion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.skb import SkbHook
from bpflab.sim.skb_access import CGROUP_SKB

if TYPE_CHECKING:
    from bpflab.sim.programs import ProgSpec


class CgroupSkbHook(SkbHook):
    """Skb programs whose return values depend on the direction."""

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Return the verdicts of the direction that the program was loaded for."""
        return (0, 3) if spec.expected_attach_type == AttachType.CGROUP_INET_EGRESS else (0, 1)


HOOK: Final = CgroupSkbHook(ProgType.CGROUP_SKB, CGROUP_SKB, packet_writable=False)
