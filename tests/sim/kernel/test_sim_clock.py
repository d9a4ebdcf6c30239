"""Time and chance of a simulated kernel are the test's to move."""

from __future__ import annotations

import pytest

from bpflab.errors import ArgumentError
from bpflab.sim.backend import SimBackend
from bpflab.sim.clock import Chance, Clock
from bpflab.sim.kernel import Machine


def test_time_stands_still_until_it_is_moved() -> None:
    clock = Clock()
    before = clock.now
    clock.advance(seconds=1.5)
    clock.advance(nanoseconds=7)
    assert clock.now - before == 1_500_000_007
    assert clock.wall - clock.epoch == clock.now
    with pytest.raises(ArgumentError, match="forward"):
        clock.advance(seconds=-1)


def test_alarms_ring_in_order_at_their_own_time() -> None:
    clock = Clock(now=0)
    rung: list[tuple[str, int]] = []
    clock.at(300, lambda: rung.append(("late", clock.now)))
    clock.at(100, lambda: clock.at(200, lambda: rung.append(("nested", clock.now))))
    cancelled = clock.at(150, lambda: rung.append(("never", clock.now)))
    cancelled.cancel()
    clock.advance(nanoseconds=299)
    assert rung == [("nested", 200)]
    clock.advance(nanoseconds=1)
    assert rung == [("nested", 200), ("late", 300)]


def test_the_same_seed_gives_the_same_numbers() -> None:
    first, second = Chance(7), Chance(7)
    numbers = [first.u32() for _ in range(4)]
    assert numbers == [second.u32() for _ in range(4)]
    first.seed(7)
    assert first.u32() == numbers[0]
    assert all(0 <= number < 1 << 32 for number in numbers)


def test_a_machine_is_what_the_test_asks_for() -> None:
    sim = SimBackend(Machine(possible_cpus=3, byteorder="big", release=(6, 1, 0)), seed=1)
    assert (sim.possible_cpus, sim.byteorder, sim.release) == (3, "big", (6, 1, 0))


def test_each_thread_has_its_own_errno() -> None:
    import ctypes
    import threading

    sim, seen = SimBackend(), []
    sim.bpf(999, ctypes.c_void_p(0), 0)
    thread = threading.Thread(target=lambda: seen.append(sim.errno()))
    thread.start()
    thread.join()
    assert (sim.errno(), seen) == (22, [0])
