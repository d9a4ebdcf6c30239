"""The running kernel beside the simulated one: one compiled object in both, the same orders, the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.objects.loaded import LoadedObject
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

PACKET = bytes(range(64))


@dataclass(frozen=True)
class Outcome:
    """What a run came to: verdict, packet, context, and the program's variables as text."""

    retval: int
    data: bytes | None
    ctx: bytes | None
    variables: str


class Twins:
    """One object loaded into both kernels."""

    def __init__(self, kernel: LoadedObject, sim: LoadedObject) -> None:
        self.kernel = kernel
        self.sim = sim

    def agree(self, program: str, packet: object = PACKET, ctx: Any = None, /, **variables: Any) -> Any:
        """Set variables, run a program, assert that all comes out the same in both, and return the variables."""
        kernel, sim = (_outcome(each, program, packet, ctx, variables) for each in (self.kernel, self.sim))
        assert sim == kernel, f"the simulator: {sim}\nthe running kernel: {kernel}"
        return self.kernel.bss


def _outcome(loaded: LoadedObject, program: str, packet: object, ctx: Any, variables: Mapping[str, Any]) -> Outcome:
    for name, value in variables.items():
        setattr(loaded.bss, name, value)
    result = loaded.programs[program].run(packet, ctx)
    return Outcome(result.retval, result.data, result.raw_ctx, str(loaded.maps[".bss"][0]))


@pytest.fixture(scope="session")
def load_twins() -> Iterator[Callable[[Path], Twins]]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab(SimBackend(Machine(possible_cpus=kernel.backend.possible_cpus))) as sim:
        yield lambda source: Twins(kernel.load(source), sim.load(source))
