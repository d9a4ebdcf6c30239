"""From a program's spec to a program that an engine can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.flags import ProgFlag
from bpflab.sim.engine import prepare
from bpflab.sim.programs import ProgSpec, SimProgram
from bpflab.sim.relocate import Resolver

if TYPE_CHECKING:
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.log import Log
    from bpflab.sim.request import Request


def load(kernel: SimKernel, spec: ProgSpec, request: Request, btf: SimBtf | None, log: Log) -> SimProgram:
    """Resolve, check and prepare a program, and give it an id; refuses what the kernel would."""
    addresses = Resolver(kernel, spec.insns, request["fd_array"], log).resolve()
    engine = prepare(
        spec.insns,
        kernel.memory,
        helpers=kernel.helpers(spec.type),
        addresses=addresses.values,
        name=spec.name,
        strict_alignment=bool(spec.flags & ProgFlag.STRICT_ALIGNMENT),
    )
    return kernel.programs.add(SimProgram(kernel, spec, engine, map_slots=addresses.maps, btf=btf))
