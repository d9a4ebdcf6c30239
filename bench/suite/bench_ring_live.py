"""Emptying a ring buffer while a process on another CPU fills it; every record is looked at, none may be lost.

    pytest bench/suite/bench_ring_live.py --records 10000000

The time is that inside of the calls that brought something, not the waiting between them.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from measure import Turn
from ring_rig import RingRig
from traffic import PACKET

if TYPE_CHECKING:
    from effort import Effort
    from measure import Measure

    from bpflab import Lab
    from bpflab.maps.base import Map
    from bpflab.programs.program import Program

SIZE = 1 << 23
RECORD = 64
BATCH = 20_000
PRODUCER = """
    r6 = map[fd:{control}][0]+0
    r7 = *(u64 *)(r6 + 0)
    r8 = *(u64 *)(r6 + 16)
    if r7 >= r8 goto done
    *(u64 *)(r10 - 64) = r7
    *(u64 *)(r10 - 56) = r7
    *(u64 *)(r10 - 48) = r7
    *(u64 *)(r10 - 40) = r7
    *(u64 *)(r10 - 32) = r7
    *(u64 *)(r10 - 24) = r7
    *(u64 *)(r10 - 16) = r7
    *(u64 *)(r10 - 8) = r7
    r2 = r10
    r2 += -64
    r1 = map[fd:{ring}]
    r3 = 64
    r4 = 0
    call bpf_ringbuf_output
    if r0 != 0 goto full
    r7 += 1
    *(u64 *)(r6 + 0) = r7
    goto done
full:
    r1 = *(u64 *)(r6 + 8)
    r1 += 1
    *(u64 *)(r6 + 8) = r1
done:
    r0 = 0
    exit
"""
"""Writes the next number, eight times; the control value holds it, how often the ring was full, and where to stop."""


class Stopwatch:
    """Counts the seconds inside of calls."""

    total = 0.0


def inside() -> float:
    """Return the seconds that were spent inside of calls that brought records."""
    return Stopwatch.total


def timed(drain: Callable[[], list[bytes] | memoryview]) -> list[bytes] | memoryview:
    began = time.perf_counter()
    found = drain()
    if found:
        Stopwatch.total += time.perf_counter() - began
    return found


def produce(program: Program, control: Map[int, tuple[int, int, int]], cpu: int) -> None:
    """Run the program until it has written all its numbers; in a process and on a CPU of its own."""
    os.sched_setaffinity(0, {cpu})
    written, _, stop_at = control[0]
    while written < stop_at:
        program.run(PACKET, repeat=BATCH)
        written, _, stop_at = control[0]


def check(records: bytes | memoryview, first: int) -> int:
    """Raise when the records are not the numbers from `first` on, eight times each; the number after them."""
    words = memoryview(records).cast("B").cast("Q")
    numbers = words[::8]
    after = first + len(numbers)
    if len(words) != 8 * len(numbers) or numbers.tolist() != list(range(first, after)):
        raise AssertionError(f"records were lost, doubled or reordered near number {first}")
    if any(words[place::8].tobytes() != numbers.tobytes() for place in range(1, 8)):
        raise AssertionError(f"a record is torn near number {first}")
    return after


@pytest.fixture
def two_cpus() -> Iterator[tuple[int, int]]:
    """Keep this process on one CPU, and name another; skip where there is none."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("needs two CPUs, one for the live producer")
    ours, theirs, *_ = sorted(allowed)
    os.sched_setaffinity(0, {ours})
    yield ours, theirs
    os.sched_setaffinity(0, allowed)


@pytest.mark.benchmark(timer=inside)
@pytest.mark.ways("bpflab", kernel=["libbpf"])
def test_live_producer(
    measure: Measure, kernel: Lab, effort: Effort, two_cpus: tuple[int, int], *, way: str, pytestconfig: pytest.Config
) -> None:
    records = pytestconfig.getoption("records") or effort.count(kernel=400_000, sim=1)
    with ExitStack() as stack:
        rig = RingRig(kernel, stack, SIZE, RECORD, 0)
        control: Map[int, tuple[int, int, int]] = kernel.map("array", value="=3Q", max_entries=1)
        producer = kernel.program(PRODUCER.format(control=control.fileno(), ring=rig.ring.fileno()), type="xdp")

        def taking(drain: Callable[[], list[bytes] | memoryview]) -> Callable[[], None]:
            def all_of_them() -> None:
                control[0] = (0, 0, records)
                process = multiprocessing.get_context("fork").Process(
                    target=produce, args=(producer, control, two_cpus[1])
                )
                process.start()
                after = 0
                while after < records:
                    found = timed(drain)
                    if found:
                        after = check(b"".join(found) if isinstance(found, list) else found, after)
                process.join()
                if process.exitcode or drain():
                    raise AssertionError("the producer failed, or there are more records than were written")

            return all_of_them

        ways = {"bpflab": taking(rig.consumer().drain)}
        if way == "libbpf" or "libbpf" in rig.ways():
            ways["libbpf"] = taking(rig.by_libbpf())
        measure(
            {name: Turn(work) for name, work in ways.items()},
            way,
            group="ring buffer, live producer",
            subject="time inside",
            operations=records,
            axis="bytes",
            value=RECORD,
            rounds=min(3, effort.rounds),
        )
