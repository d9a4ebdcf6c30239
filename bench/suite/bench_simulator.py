"""Packets through programs on the simulated kernel, by turns with the running one where there is one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from traffic import PACKET, PASS, PROGRAMS, straight

from bpflab import Lab

if TYPE_CHECKING:
    from effort import Effort
    from measure import Measure, Work

    from bpflab.programs.program import Program


@pytest.fixture
def packets(effort: Effort) -> int:
    """Return how many packets a round has."""
    return effort.count(kernel=40, sim=20)


def ways(stack: ExitStack, effort: Effort, load: Callable[[Lab], Program], packets: int) -> dict[str, Work]:
    """Return running packets on the simulated kernel, and on the running one where that is asked for."""
    backends = ["sim", *({"kernel"} & {effort.backend})]
    programs = {name: load(stack.enter_context(Lab(name))) for name in backends}
    assert {program.run(PACKET).retval for program in programs.values()} == {PASS}

    def through(program: Program) -> Work:
        def run() -> None:
            for _ in range(packets):
                program.run(PACKET)

        return run

    return {name: through(program) for name, program in programs.items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_packets(measure: Measure, effort: Effort, packets: int, name: str) -> None:
    """The smallest program, one that works with maps, and the firewall example; compared with the smallest."""
    with ExitStack() as stack:
        measure(
            ways(stack, effort, PROGRAMS[name], packets),
            "sim",
            group="simulated packets",
            subject=name,
            operations=packets,
            baseline="kernel" if effort.backend == "kernel" else "test_packets[minimal]",
        )


@pytest.mark.axis("instructions", kernel=[16, 128, 1_024, 8_192], sim=[16, 128, 1_024])
def test_length(measure: Measure, effort: Effort, packets: int, instructions: int) -> None:
    with ExitStack() as stack:
        measure(
            ways(stack, effort, lambda lab: straight(lab, instructions), packets),
            "sim",
            group="simulated packets by length",
            subject="straight line",
            operations=packets,
            axis="instructions",
            value=instructions,
            baseline="kernel" if effort.backend == "kernel" else "",
        )
