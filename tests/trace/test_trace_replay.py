"""A run that is made again on the simulator goes the way of the first one, or says where it does not."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from bpflab import XDP, Lab
from bpflab.abi.commands import Command
from bpflab.backend.journal_entry import Call
from bpflab.backend.select import open_backend
from bpflab.cli.demo import example_directory
from bpflab.errors import TraceError
from bpflab.obj.prebuilt import object_of
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine
from bpflab.trace import traceable
from bpflab.trace.log import CallLog, call_log
from bpflab.trace.replay import replayed, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.backend.journal_entry import Entry
    from bpflab.trace.made import Made

FIREWALL = object_of(example_directory() / "firewall.bpf.c")
TELNET = bytes(
    Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.0.2.7", dst="192.0.2.1") / TCP(dport=23)
)
COUNTING = """
    *(u32 *)(r10 - 4) = 0
    r1 = map[name:counts]
    r2 = r10
    r2 += -4
    call map_lookup_elem
    if r0 == 0 goto out
    r1 = *(u32 *)(r0 + 0)
    r1 += 1
    *(u32 *)(r0 + 0) = r1
out:
    r0 = 2
    exit
"""


@pytest.fixture
def logged(bpf_backend: str) -> Iterator[Lab]:
    """A Lab on each backend, whose calls are logged."""
    with Lab(traceable(bpf_backend)) as lab:
        yield lab


def log_of(lab: Lab) -> CallLog:
    found = call_log(lab.backend)
    assert found is not None
    return found


def test_a_run_made_again_answers_and_changes_what_the_first_did(logged: Lab) -> None:
    firewall = logged.load(FIREWALL)
    firewall.maps.blocked_ports[23] = 1
    for _ in range(3):
        assert firewall.programs.firewall.run(TELNET).action is XDP.DROP
    (trace,) = replayed(log_of(logged), runs_of(log_of(logged))[-1:])
    assert (trace.verdict, trace.output, trace.differences) == (XDP.DROP, TELNET, ())
    assert "map statistics[3].packets (CPU 0): 2 -> 3" in [str(each) for each in trace.map_changes]


def test_a_lab_that_keeps_a_log_traces_on_any_backend(logged: Lab) -> None:
    trace = logged.trace(logged.load(FIREWALL).programs.firewall, TELNET)
    assert trace.result is not None
    assert trace.result.action is trace.verdict is XDP.PASS
    assert trace.lines[:2] == (493, 495)


@pytest.mark.bpf(backend="kernel")
def test_a_lab_on_the_kernel_without_a_log_says_how_to_get_one() -> None:
    with Lab("kernel") as lab, pytest.raises(TraceError, match=r"Open it as Lab\(traceable\('kernel'\)\)"):
        lab.trace(lab.program("r0 = 2\nexit"), TELNET)


@pytest.mark.bpf(backend="kernel")
def test_what_the_kernel_answered_otherwise_is_said() -> None:
    code = "call ktime_get_ns\nr1 = r0\nr0 = 1\nr2 = 10000000000 ll\nif r1 < r2 goto young\nr0 = 2\nyoung:\nexit"
    with Lab(traceable("kernel")) as lab:
        trace = lab.trace(lab.program(code), TELNET)
    assert trace.differences == ("the kernel returned XDP.PASS, the simulator XDP.DROP.",)
    assert "\nDIFFERENT: the kernel returned XDP.PASS, the simulator XDP.DROP.\n" in str(trace)


def test_a_packet_that_came_out_otherwise_is_said() -> None:
    code = """
        r6 = *(u32 *)(r1 + 0)
        r2 = *(u32 *)(r1 + 4)
        r3 = r6
        r3 += 14
        if r3 > r2 goto out
        call get_prandom_u32
        *(u8 *)(r6 + 0) = r0
    out:
        r0 = 2
        exit
    """
    with Lab(traceable("sim")) as lab:
        lab.program(code).run(TELNET)
        log = log_of(lab)
        run = runs_of(log)[-1]
        assert replayed(log, [run])[0].differences == ()
        lab.world.helpers["get_prandom_u32"] = lambda _env: 0xEE
        (trace,) = replayed(log, [run])
    assert len(trace.differences) == 1
    assert trace.differences[0].startswith("the run itself gave out the packet of 54 bytes with ")
    assert trace.differences[0].endswith("the simulator of 54 bytes with ee 00 00 00 00 02 02 00 at 0.")


ACTS = st.lists(st.sampled_from(["run", "write", "delete", "batch", "read"]), min_size=1, max_size=12)


@given(ACTS, st.sampled_from(["hash", "array", "percpu_array", "lru_hash"]))
def test_whatever_led_to_a_run_is_made_again(acts: list[str], kind: str) -> None:
    with Lab(traceable("sim")) as lab:
        counts = lab.map(kind, key="u32", value="u32", max_entries=2, name="counts")
        program = lab.program(COUNTING)
        per_cpu = kind == "percpu_array"
        for number, act in enumerate(acts):
            if act == "run":
                program.run(TELNET)
            elif act == "write":
                counts[0] = [number] * lab.backend.possible_cpus if per_cpu else number
            elif act == "delete" and "hash" in kind:
                counts.pop(0, None)
            elif act == "batch":
                counts.update({0: [number] * lab.backend.possible_cpus if per_cpu else number})
            elif act == "read":
                counts.get(0)
        program.run(TELNET)
        log = log_of(lab)
        (trace,) = replayed(log, runs_of(log)[-1:])
        now = (counts.get(0) or [None])[0] if per_cpu else counts.get(0)
        changes = [each.new for each in trace.map_changes]
        assert changes == ([] if now is None else [str(now)])


def test_the_log_of_shared_memory_is_kept_too() -> None:
    with Lab(traceable("sim")) as lab:
        counts = lab.map("array", key="u32", value="u32", max_entries=2, name="counts", flags=1 << 10)
        with counts.memory() as memory:
            memory[:4] = (41).to_bytes(4, sys.byteorder)
            lab.program(COUNTING).run(TELNET)
        log = log_of(lab)
        (trace,) = replayed(log, runs_of(log)[-1:])
    assert [str(each) for each in trace.map_changes] == ["map counts[0]: 41 -> 42"]


def test_a_log_that_became_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpflab.trace.log.MOST_ENTRIES", 5)
    with Lab(CallLog(open_backend("sim"))) as lab:
        program = lab.program("r0 = 2\nexit")
        assert [program.run(TELNET).retval for _ in range(9)] == [2] * 9
        log = log_of(lab)
        assert log.log is None
        with pytest.raises(TraceError, match="became too many"):
            replayed(log, [])


RACING = """
    r1 = 0
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    r1 = map[name:counts]
    call map_lookup_elem
    if r0 == 0 goto out
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
out:
    r0 = 2
    exit
"""
LOST: Final = (9, 100)
"""Turns in which the second CPU counts between the reading and the writing of the first."""


@pytest.mark.parametrize("live", [False, True], ids=["logged", "watched"])
def test_runs_that_race_lose_a_count_in_any_log_and_their_way_says_that_they_raced(live: bool) -> None:
    with Lab(CallLog(SimBackend(Machine(possible_cpus=2)), live=live)) as lab:
        counts = lab.map("array", value="u64", max_entries=1, name="counts")
        program = lab.program(RACING, type="xdp")
        lab.race(lambda: program.run(TELNET), lambda: program.run(TELNET), turns=LOST)
        assert counts[0] == 1
        traces = replayed(log_of(lab), runs_of(log_of(lab)))
    assert {trace.note for trace in traces} == {
        "made again alone, while it ran at the same time as others and may have seen other values"
    }
    assert log_of(lab).traces_since(0) == []


@pytest.mark.usefixtures("kernel_types")
def test_a_run_that_calls_a_kernel_function_of_the_test_is_made_again_with_it() -> None:
    with Lab(CallLog(SimBackend())) as lab:
        lab.world.kfunc("int bpf_score(u64 weight)", lambda _, weight: 2 * weight)
        program = lab.program("r1 = 4\ncall kfunc[bpf_score]\nexit", type="xdp")
        assert program.run(TELNET).retval == 8
        (trace,) = replayed(log_of(lab), runs_of(log_of(lab)))
    assert (trace.retval, trace.differences) == (8, ())


def unloadable(entry: Entry | Made) -> Entry | Made:
    """Give a program another type, which no kernel has."""
    if not isinstance(entry, Call) or entry.ask.command != Command.PROG_LOAD:
        return entry
    return replace(entry, ask=replace(entry.ask, fields={**entry.ask.fields, "prog_type": 999}))


def test_a_run_whose_program_cannot_be_loaded_again_says_so() -> None:
    log = CallLog(SimBackend())
    with Lab(log) as lab:
        lab.program("r0 = 2\nexit", type="xdp").run(TELNET)
        assert log.log is not None
        log.log[:] = [unloadable(entry) for entry in log.log]
        with pytest.raises(TraceError, match=r"it had refused PROG_LOAD, with EINVAL \("):
            replayed(log, runs_of(log))
