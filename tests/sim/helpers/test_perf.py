"""perf_event_output answers and delivers as the running kernel's does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.flags import ProgFlag
from bpflab.asm import DW, Items, add, call, exit_, ld_imm64, ld_map, mov, r2, r3, r4, r5, r10
from bpflab.asm import st as store
from bpflab.events import PerfBufferConsumer
from bpflab.sim.backend import SimBackend
from bpflab.sim.events import PerfEvent

SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CURRENT = 0xFFFFFFFF
INDEXES = st.sampled_from([CURRENT, CURRENT, CURRENT, 0, 1, 2, 7])
LENGTHS = st.one_of(st.integers(0, 80), st.integers(3500, 3560), st.sampled_from([4096, 9000, 0xFFFF, 0xFFFFF]))
FLAGS = st.builds(
    lambda index, length, odd: index | length << 32 | odd, INDEXES, LENGTHS, st.sampled_from([0, 0, 0, 1 << 52])
)


@pytest.fixture(autouse=True)
def on_the_first_cpu() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    yield
    os.sched_setaffinity(0, before)


def sending(flags: int, size: int) -> Items:
    code = [store(DW, r10, -8 * slot, slot) for slot in range(1, 5)]
    sent = [ld_map(r2, "events"), ld_imm64(r3, flags), mov(r4, r10), add(r4, -32), mov(r5, size)]
    return [*code, *sent, call("perf_event_output"), exit_()]


@pytest.mark.parametrize("kind", ["xdp", "sched_cls"])
@SETTINGS
@given(flags=FLAGS, size=st.integers(0, 32), whole=LENGTHS)
@example(flags=CURRENT | 64 << 32, size=8, whole=64)
@example(flags=CURRENT, size=0, whole=64)
def test_a_record_with_a_part_of_the_packet_arrives_alike(
    pair: Any, kind: str, flags: int, size: int, whole: int
) -> None:
    packet = (bytes(range(251)) * 40)[: max(14, min(whole, 9000 if kind == "xdp" else 3700))]
    options = {"flags": ProgFlag.XDP_HAS_FRAGS} if kind == "xdp" else {}
    code = sending(flags, size)
    with ExitStack() as stack:
        maps = [stack.enter_context(each) for each in pair.maps("PERF_EVENT_ARRAY", max_entries=2, name="events")]
        consumers = [stack.enter_context(PerfBufferConsumer(each, pages=4)) for each in maps]
        pair.agree(code, packet, type=kind, **options)
        kernel, sim = (consumer.drain() for consumer in consumers)
        assert sim == kernel


@pytest.mark.parametrize("index", [CURRENT, 0, 1, 2])
def test_a_map_without_a_consumer_answers_alike(pair: Any, index: int) -> None:
    with ExitStack() as stack:
        for each in pair.maps("PERF_EVENT_ARRAY", max_entries=2, name="events"):
            stack.enter_context(each)
        pair.agree(sending(index, 8), bytes(64), type="xdp")


def test_a_record_is_among_the_worlds_events_with_its_answer() -> None:
    with Lab("sim") as lab:
        lab.map("PERF_EVENT_ARRAY", max_entries=2, name="events")
        lab.program(sending(1 | 3 << 32, 4), type="xdp", name="sender").run(b"packet".ljust(64))
        assert isinstance(lab.backend, SimBackend)
        sent = PerfEvent("sender", "events", 1, (4).to_bytes(8, sys.byteorder)[:4] + b"pac", -2)
        assert lab.backend.kernel.world.seen(PerfEvent) == [sent]
