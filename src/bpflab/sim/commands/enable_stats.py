"""ENABLE_STATS."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.flags import StatsType
from bpflab.sim.objects import KernelObject
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request


class Stats(KernelObject):
    """While its descriptor is open, programs count their runs and the time these take."""

    kind: ClassVar[str] = "stats"

    def __init__(self, kernel: SimKernel) -> None:
        super().__init__()
        self.kernel = kernel
        kernel.counting += 1

    def free(self) -> None:
        """Stop counting, if nobody else asked for it."""
        self.kernel.counting -= 1


def enable_stats(kernel: SimKernel, request: Request) -> int:
    """Count the runs of programs until the descriptor that is returned is closed."""
    refuse_if(request["type"] != StatsType.RUN_TIME)
    return kernel.files.open(Stats(kernel))
