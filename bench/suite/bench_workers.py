"""What several processes that run one program at the same time get done together."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from traffic import PACKET, firewall

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from effort import Effort
    from measure import Measure

    from bpflab import Lab
    from bpflab.programs.program import Program


def work(program: Program, count: int, orders: Connection) -> None:
    """Run the program `count` times for each order, until there is none."""
    while orders.recv():
        for _ in range(count):
            program.run(PACKET)
        orders.send(count)


@pytest.mark.benchmark(timer=time.perf_counter)
@pytest.mark.axis("workers", kernel=[1, 2, 4], sim=[1])
def test_workers(measure: Measure, kernel: Lab, effort: Effort, workers: int) -> None:
    """Wall time: more workers than CPUs take turns."""
    program, count = firewall(kernel), effort.count(kernel=4_000, sim=1)
    context = multiprocessing.get_context("fork")
    with ExitStack() as stack:
        ours = [stack.enter_context(_started(stack, context, program, count)) for _ in range(workers)]

        def all_of_them() -> None:
            for orders in ours:
                orders.send(True)  # noqa: FBT003 - the word to begin
            for orders in ours:
                orders.recv()

        measure(
            {"bpflab": all_of_them},
            group="program run by workers",
            subject="firewall",
            operations=count * workers,
            axis="workers",
            value=workers,
        )
        for orders in ours:
            orders.send(False)  # noqa: FBT003 - the word to end


def _started(
    stack: ExitStack, context: multiprocessing.context.ForkContext, program: Program, count: int
) -> Connection:
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(program, count, theirs))
    process.start()
    theirs.close()
    stack.callback(process.join)
    return ours
