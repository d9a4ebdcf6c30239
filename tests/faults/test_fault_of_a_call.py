from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from bpflab import Lab, MapFlag, VerifierError
from bpflab.backend.schedule import Fault
from bpflab.errors import (
    ArgumentError,
    BpfError,
    FaultMissedError,
    MapBusyError,
    MapError,
    MapFullError,
    OutOfMemoryError,
    RetryPolicy,
    SyscallError,
)
from bpflab.maps.base import Map

PASS = "r0 = 2\nexit"


@pytest.fixture
def ports(lab: Lab) -> Map[int, int]:
    made = lab.map("hash", key="u32", value="u32", max_entries=16, name="ports")
    made[1] = 1
    assert made[1] == 1  # a slot with prepared calls is there before the first fault
    return made


def written(ports: Map[int, int], keys: range) -> list[int]:
    """Write each key, and return those that were written."""
    done = []
    for key in keys:
        try:
            ports[key] = key
        except MapError:
            continue
        done.append(key)
    return done


def test_a_call_fails_after_others_passed_and_as_often_as_asked(lab: Lab, ports: Map[int, int]) -> None:
    fault = lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG", after=3, times=1)
    assert written(ports, range(6)) == [0, 1, 2, 4, 5]
    assert (fault.hits, fault.seen) == (1, 6)


def test_every_call_fails_until_the_fault_is_removed(lab: Lab, ports: Map[int, int]) -> None:
    fault = lab.faults.fail("MAP_UPDATE_ELEM", errno.E2BIG)
    assert written(ports, range(4)) == []
    fault.remove()
    assert written(ports, range(4)) == [0, 1, 2, 3]
    assert fault.hits == 4


def test_a_fault_ends_with_its_block(lab: Lab, ports: Map[int, int]) -> None:
    with lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG") as fault, pytest.raises(MapFullError):
        ports[2] = 2
    ports[2] = 2
    assert fault.hits == 1
    assert lab.faults.active == []


def test_the_kernel_never_sees_a_call_that_failed(lab: Lab, ports: Map[int, int]) -> None:
    with lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG"), pytest.raises(MapFullError):
        ports[2] = 2
    assert 2 not in ports


def test_the_error_of_a_call_that_the_kernel_refuses_is_the_kernels(lab: Lab, ports: Map[int, int]) -> None:
    with lab.faults.fail("MAP_LOOKUP_ELEM", "EPERM", times=1):
        with pytest.raises(SyscallError):
            ports[1]
        with pytest.raises(KeyError):
            ports[99]


THE_MAP = object()
"""Stands for the map itself where a test has it not yet."""


@pytest.mark.parametrize(
    "about",
    [
        {"map": "ports"},
        {"map": THE_MAP},
        {"map": "ports", "key": 7},
        {"map": THE_MAP, "key": 7},
        {"map": "ports", "key": (7).to_bytes(4, sys.byteorder)},
        {"where": lambda call: call.map == "ports" and 7 in call.key},
        {"map": THE_MAP, "where": lambda call: 9 in call.value},
        {"map": THE_MAP, "fields": {"flags": 0, "key": 7}},
    ],
    ids=["name", "map", "name, key", "map, key", "name, bytes", "function", "map, function", "map, fields"],
)
def test_a_fault_is_about_the_map_and_key_that_it_names(lab: Lab, ports: Map[int, int], about: dict[str, Any]) -> None:
    other = lab.map("hash", key="u32", value="u32", max_entries=4, name="other")
    given: dict[str, Any] = {name: ports if value is THE_MAP else value for name, value in about.items()}
    lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG", **given)
    other[7] = 9
    with pytest.raises(MapFullError):
        ports[7] = 9


def test_a_run_fails_by_the_name_of_its_program(lab: Lab) -> None:
    gate, other = lab.program(PASS, name="gate"), lab.program(PASS, name="other")
    gate.run(bytes(64))  # a runner is there before the first fault
    with lab.faults.fail("PROG_TEST_RUN", "ENOMEM", program="gate", times=1) as fault:
        other.run(bytes(64))
        with pytest.raises(OutOfMemoryError):
            gate.run(bytes(64))
        gate.run(bytes(64))
    assert fault.hits == 1


def test_a_pattern_stands_for_several_commands(lab: Lab, ports: Map[int, int]) -> None:
    with lab.faults.fail("MAP_*_ELEM", "EBUSY"), pytest.raises(MapBusyError):
        ports[1]
    assert ports[1] == 1


@pytest.mark.parametrize("seed", [0, 7])
def test_chance_is_the_same_for_the_same_seed(lab: Lab, ports: Map[int, int], seed: int) -> None:
    rounds = []
    for _ in range(2):
        with lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG", probability=0.5, seed=seed):
            rounds.append(written(ports, range(16)))
    assert rounds[0] == rounds[1]
    assert 0 < len(rounds[0]) < 16


def test_interrupts_are_tried_again_as_the_policy_says(lab: Lab, ports: Map[int, int]) -> None:
    with lab.faults.interrupt("MAP_UPDATE_ELEM", 3) as fault:
        ports[2] = 2
    assert fault.hits == 3
    assert ports[2] == 2


def test_a_policy_without_retries_shows_the_first_interrupt() -> None:
    with Lab("mock", retry=RetryPolicy(times=0)) as lab:
        ports = lab.map("hash", key="u32", value="u32", max_entries=4)
        with lab.faults.interrupt("MAP_UPDATE_ELEM", 1), pytest.raises(BpfError, match="EINTR"):
            ports[1] = 1


def test_a_run_is_tried_again_as_the_policy_says(lab: Lab) -> None:
    gate = lab.program(PASS)
    with lab.faults.interrupt("PROG_TEST_RUN", 3) as fault:
        gate.run(bytes(64))
    assert fault.hits == 3


def test_a_run_is_not_tried_again_without_retries() -> None:
    with Lab("mock", retry=RetryPolicy(times=0)) as lab:
        gate = lab.program(PASS)
        with lab.faults.interrupt("PROG_TEST_RUN", 1), pytest.raises(SyscallError, match="EINTR"):
            gate.run(bytes(64))


def test_a_program_is_refused_with_a_log_of_ones_own(lab: Lab) -> None:
    with lab.faults.reject("bad", "R1 invalid mem access 'scalar'\n", times=1) as fault:
        lab.program(PASS, name="good")
        with pytest.raises(VerifierError, match="R1 invalid mem access 'scalar'") as caught:
            lab.program(PASS, name="bad")
        assert lab.program(PASS, name="bad").name == "bad"
    assert caught.value.failure.errno == errno.EACCES
    assert fault.hits == 1


@pytest.mark.parametrize("call", ["mmap", "dup", "perf_event_open", "ioctl", "poll"])
def test_the_calls_beside_bpf_fail_too(lab: Lab, ports: Map[int, int], call: str) -> None:
    arguments: dict[str, Callable[[], object]] = {
        "mmap": lambda: lab.backend.mmap(ports.fileno(), 4096, writable=True),
        "dup": lambda: lab.backend.dup(ports.fileno()),
        "perf_event_open": lambda: lab.backend.perf_event_open(b"", -1, 0, -1, 0),
        "ioctl": lambda: lab.backend.ioctl(ports.fileno(), 0, 0),
        "poll": lambda: lab.backend.poll([], 0),
    }
    lab.faults.fail(call, "EMFILE", times=1)
    with pytest.raises(OSError, match=call) as caught:
        arguments[call]()
    assert caught.value.errno == errno.EMFILE


def test_memory_that_cannot_be_mapped_is_told_by_the_map(bpf: Lab) -> None:
    counts = bpf.map("array", value="u64", max_entries=4, flags=MapFlag.MMAPABLE, name="counts")
    with bpf.faults.fail("mmap", "ENOMEM", map="counts"), pytest.raises(BpfError, match="could not be mapped"):
        counts.memory()


def test_a_close_that_fails_has_closed() -> None:
    with Lab("mock") as lab:
        made = lab.map("array", value="u32", max_entries=1)
        with lab.faults.fail("close", "EIO"), pytest.raises(OSError, match="close"):
            made.close()
        assert made.closed


def test_a_delay_moves_the_clock_of_the_simulated_kernel() -> None:
    with Lab("sim") as lab:
        ports = lab.map("hash", key="u32", value="u32", max_entries=4)
        before = lab.clock.now
        with lab.faults.delay("MAP_UPDATE_ELEM", 2.5):
            ports[1] = 1
        assert lab.clock.now - before == 2_500_000_000


def test_a_delay_is_slept_where_there_is_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with Lab("mock") as lab:
        ports = lab.map("hash", key="u32", value="u32", max_entries=4)
        lab.faults.delay("MAP_UPDATE_ELEM", 0.25, times=1)
        lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG", delay=0.5)
        with pytest.raises(MapFullError):
            ports[1] = 1
    assert slept == [0.25, 0.5]


def test_of_several_faults_the_first_that_strikes_answers(lab: Lab, ports: Map[int, int]) -> None:
    first = lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG", after=1)
    second = lab.faults.fail("MAP_UPDATE_ELEM", "EBUSY", times=1, delay=0)
    with pytest.raises(MapFullError):
        ports[1] = 1
        # the second fault is met first, is transient, and its retry meets the first one
    assert (first.hits, second.hits) == (1, 1)


def test_a_fault_that_was_expected_and_never_struck_is_an_error(lab: Lab, ports: Map[int, int]) -> None:
    with (
        pytest.raises(
            FaultMissedError, match="after 3 calls never struck: it saw 1 of its calls, and it waits for call 4"
        ),
        lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG", after=3, expected=True),
    ):
        ports[1] = 1


def test_all_expected_faults_are_asked_at_once(lab: Lab) -> None:
    lab.faults.fail("MAP_DELETE_ELEM", "EPERM")
    lab.faults.check_hit()
    lab.faults.fail("MAP_FREEZE", "EPERM", expected=True)
    with pytest.raises(FaultMissedError, match="MAP_FREEZE -> EPERM never struck: no matching call was made"):
        lab.faults.check_hit()


def test_clearing_removes_all(lab: Lab, ports: Map[int, int]) -> None:
    lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG")
    lab.faults.fail("MAP_LOOKUP_ELEM", "EPERM")
    lab.faults.clear()
    ports[3] = 3
    assert ports[3] == 3
    assert repr(lab.faults) == "<faults: none>"


def test_a_scope_ends_its_faults_and_brings_the_cheap_path_back(lab: Lab, ports: Map[int, int]) -> None:
    before = lab.backend
    with lab.scope():
        fault = lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG")
        inside = lab.map("hash", key="u32", value="u32", max_entries=4)
        with pytest.raises(MapFullError):
            inside[1] = 1
    assert (lab.backend, lab.call.backend, fault.active) == (before, before, False)
    ports[5] = 5
    with lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG"), pytest.raises(MapFullError):
        ports[6] = 6


def test_a_fault_in_a_scope_ends_with_it_where_another_stands(lab: Lab, ports: Map[int, int]) -> None:
    outer = lab.faults.fail("MAP_DELETE_ELEM", "EPERM")
    with lab.scope():
        lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG")
    assert lab.faults.active == [outer]
    ports[5] = 5


def test_what_was_opened_before_the_first_fault_and_after_it_meets_it(lab: Lab, ports: Map[int, int]) -> None:
    lab.faults.fail("MAP_UPDATE_ELEM", "E2BIG")
    later = lab.map("hash", key="u32", value="u32", max_entries=4)
    for each in (ports, later):
        with pytest.raises(MapFullError):
            each[1] = 1


def test_slots_that_other_threads_hold_meet_it_too(bpf: Lab) -> None:
    ports = bpf.map("hash", key="u32", value="u32", max_entries=16)
    started, faulty, results = threading.Barrier(5), threading.Event(), []

    def work(key: int) -> None:
        ports[key] = 0  # makes or takes a slot
        started.wait()
        faulty.wait()
        try:
            ports[key] = 1
        except MapFullError:
            results.append(key)

    threads = [threading.Thread(target=work, args=(key,)) for key in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    bpf.faults.fail("MAP_UPDATE_ELEM", "E2BIG")
    faulty.set()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 1, 2, 3]


def test_nothing_is_wrapped_before_a_fault_is_set(lab: Lab) -> None:
    before = lab.backend
    assert lab.faults.active == []
    assert lab.backend is before
    lab.faults.fail("MAP_FREEZE", "EPERM")
    assert lab.backend is not before


MISTAKES: list[tuple[Any, ...]] = [
    (
        lambda faults: faults.fail("MAP_UPDATE_ELM", "E2BIG"),
        "no call 'MAP_UPDATE_ELM'; did you mean MAP_UPDATE_ELEM",
    ),
    (lambda faults: faults.fail("MAP_UPDATE_ELEM", "E2BUG"), "no error 'E2BUG'; did you mean E2BIG"),
    (lambda faults: faults.fail("MAP_CREATE", "ENOMEM", key=1), "no field 'key' in MAP_CREATE"),
    (lambda faults: faults.fail("MAP_CREATE", "ENOMEM", after=-1), "after is -1"),
    (lambda faults: faults.fail("MAP_CREATE", "ENOMEM", times=0), "times is 0"),
    (lambda faults: faults.fail("MAP_CREATE", "ENOMEM", probability=2), "probability is 2"),
    (lambda faults: faults.fail("MAP_CREATE", "ENOMEM", delay="long"), "delay is 'long'"),
    (lambda faults: faults.fail("MAP_CREATE", "ENOMEM", map=5), "map is 5; expected its name"),
    (lambda faults: faults.delay("MAP_CREATE", -1), "A delay of -1"),
]


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[row[-1] for row in MISTAKES])
def test_a_mistake_is_said_where_it_is_made(lab: Lab, mistake: Callable[[Any], object], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        mistake(lab.faults)


@drawn(
    calls=st.integers(0, 60),
    after=st.integers(0, 20),
    times=st.none() | st.integers(1, 20),
    probability=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_a_fault_never_strikes_too_early_nor_too_often(
    calls: int, after: int, times: int | None, probability: float
) -> None:
    fault = Fault("it", lambda _fault: None, after=after, times=times, probability=probability)
    struck = [fault.strikes() for _ in range(calls)]
    assert not any(struck[:after])
    assert fault.hits == sum(struck) <= (calls if times is None else times)
    if probability == 1:
        assert fault.hits == min(max(calls - after, 0), calls if times is None else times)
