"""PROG_BIND_MAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.maps.base import SimMap
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request


def prog_bind_map(kernel: SimKernel, request: Request) -> int:
    """Keep a map alive as long as a program; once is enough."""
    refuse_if(request["flags"])
    program = kernel.find(request["prog_fd"], SimProgram)
    program.bind(kernel.find(request["map_fd"], SimMap))
    return 0
