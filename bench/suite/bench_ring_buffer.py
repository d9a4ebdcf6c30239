"""Emptying a full ring buffer: by size of its records, in every way, beside libbpf, C and bcc."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from measure import Turn
from ring_rig import RingRig

from bpflab.events import RingBufferConsumer

if TYPE_CHECKING:
    from effort import Effort
    from measure import Measure

    from bpflab import Lab

SIZE = 1 << 22


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a benchmark opened."""
    with ExitStack() as opened:
        yield opened


@pytest.mark.ways("bpflab", "iteration", kernel=["libbpf"])
@pytest.mark.axis("bytes", kernel=[8, 64, 512, 1_500], sim=[8, 64, 512])
def test_drain(measure: Measure, lab: Lab, effort: Effort, stack: ExitStack, *, bytes: int, way: str) -> None:  # noqa: A002 - the axis
    rig = RingRig(lab, stack, SIZE, bytes, effort.count(kernel=40_000, sim=100))
    consumer = rig.consumer()
    rig.fill()
    assert len(consumer.drain()) == rig.records
    turns = rig.ways(
        bpflab=consumer.drain,
        iteration=lambda: deque(consumer.events(timeout=0), maxlen=0),
    )
    measure(
        turns,
        way,
        group="ring buffer",
        subject="full ring",
        operations=rig.records,
        axis="bytes",
        value=bytes,
        baseline=None if effort.backend == "kernel" else "",
    )


@pytest.mark.benchmark(timer=time.process_time)
def test_handler(measure: Measure, kernel: Lab, effort: Effort, stack: ExitStack) -> None:
    """From a full ring to a handler that does nothing, its thread's start and end included."""
    rig = RingRig(kernel, stack, SIZE, 64, effort.count(kernel=40_000, sim=1))

    def handled() -> None:
        with RingBufferConsumer(rig.ring, handler=len) as consumer:
            consumer.flush()

    turns = rig.ways(bpflab=handled)
    measure(turns, group="ring buffer", subject="handler", operations=rig.records, axis="bytes", value=64)


@pytest.mark.axis("bytes", kernel=[8, 64, 512], sim=[8, 64, 512])
def test_output(measure: Measure, lab: Lab, effort: Effort, stack: ExitStack, bytes: int) -> None:  # noqa: A002 - the axis
    """The producer: a program that writes a record each time it is run."""
    rig = RingRig(lab, stack, SIZE, bytes, effort.count(kernel=20_000, sim=50))
    consumer = rig.consumer()
    measure(
        {"bpflab": Turn(rig.fill, before=consumer.drain)},
        group="ring buffer output",
        subject="bpf_ringbuf_output",
        operations=rig.records,
        axis="bytes",
        value=bytes,
    )
