"""What was recorded on one backend is answered alike when it is played on another."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attr import LAYOUTS
from bpflab.abi.attr_memory import pointers_of
from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.backend.journal import Journal, JournalBackend
from bpflab.backend.journal_entry import Call, Memory
from bpflab.backend.play import Played, play
from bpflab.backend.select import open_backend
from bpflab.errors import ArgumentError, BpfError
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

KEYS = st.integers(0, 5)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.integers(0, 2**64 - 1)),
        st.tuples(st.just("get"), KEYS, st.just(0)),
        st.tuples(st.just("delete"), KEYS, st.just(0)),
        st.tuples(st.just("push"), st.integers(0, 2**32 - 1), st.just(0)),
        st.tuples(st.just("pop"), st.just(0), st.just(0)),
        st.tuples(st.just("add"), KEYS, st.just(0)),
        st.tuples(st.just("probe"), KEYS, st.just(0)),
        st.tuples(st.just("run"), st.integers(14, 80), st.just(0)),
        st.tuples(st.just("mapped"), KEYS, st.integers(0, 255)),
        st.tuples(st.just("per_cpu"), KEYS, st.integers(0, 2**32 - 1)),
    ),
    max_size=12,
)


def operate(lab: Lab, operations: list[tuple[str, int, int]]) -> None:
    """Do the operations on maps of several kinds, and run a program that counts in one of them."""
    table = lab.map("hash", key="u32", value="u64", max_entries=3, name="table")
    queue = lab.map("queue", value="u32", max_entries=2, name="queue")
    bloom = lab.map("bloom_filter", value="u32", max_entries=16, name="bloom")
    shared = lab.map("array", key="u32", value="u64", max_entries=6, flags=MapFlag.MMAPABLE, name="shared")
    each = lab.map("percpu_array", key="u32", value="u32", max_entries=6, name="each")
    chain = lab.map("prog_array", max_entries=2, name="chain")
    chain[1] = lab.program("r0 = 1\nexit", name="last")
    counting = lab.program(
        """
        r6 = r1
        *(u32 *)(r10 - 4) = 2
        r1 = map[name:shared]
        r2 = r10
        r2 += -4
        call map_lookup_elem
        if r0 == 0 goto +2
        r1 = 1
        *(u64 *)(r0 + 0) += r1
        r1 = r6
        r2 = map[name:chain]
        r3 = 1
        call tail_call
        r0 = 2
        exit
        """.replace("*(u64 *)(r0 + 0) += r1", "lock *(u64 *)(r0 + 0) += r1"),
        name="counting",
    )
    view = shared.memory()
    actions: dict[str, Callable[[int, int], object]] = {
        "set": table.__setitem__,
        "get": lambda key, _: table.get(key),
        "delete": lambda key, _: table.pop(key, None),
        "push": lambda value, _: queue.push(value),
        "pop": lambda _, __: queue.pop(),
        "add": lambda value, _: bloom.add(value),
        "probe": lambda value, _: value in bloom,
        "run": lambda size, _: counting.run(bytes(size)),
        "mapped": lambda key, value: view.cast("Q").__setitem__(key, value),
        "per_cpu": lambda key, value: each.__setitem__(key, [value] * lab.backend.possible_cpus),
    }
    for name, first, second in operations:
        with contextlib.suppress(BpfError):
            actions[name](first, second)


def recorded(backend: str, operations: list[tuple[str, int, int]]) -> Journal:
    recording = JournalBackend(open_backend(backend))
    with Lab(recording) as lab:
        operate(lab, operations)
    return recording.journal


def simulated_twin(journal: Journal) -> SimBackend:
    """A simulator whose descriptors and numbers of objects are others than the recorded ones."""
    twin = SimBackend(Machine(possible_cpus=journal.machine.possible_cpus))
    with Lab(twin) as lab:
        for _ in range(3):
            lab.map("array", key="u32", value="u32", max_entries=1)
            lab.program("r0 = 2\nexit")
    return twin


def differing(played: list[Played]) -> list[tuple[str, list[str]]]:
    return [(str(each.entry), each.differences()) for each in played if each.differences()]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
@example(operations=[("run", 14, 0), ("run", 14, 0)])
@example(operations=[("mapped", 2, 7), ("run", 60, 0), ("get", 0, 0), ("set", 1, 1), ("delete", 1, 0)])
def test_what_a_journal_holds_is_answered_alike_by_the_simulator(
    bpf_backend: str, operations: list[tuple[str, int, int]]
) -> None:
    journal = recorded(bpf_backend, operations)
    twin = simulated_twin(journal)
    assert differing(list(play(journal, twin))) == []
    assert len(twin.kernel.files) == 0


def test_a_run_that_answers_otherwise_is_a_difference(bpf_backend: str) -> None:
    recording = JournalBackend(open_backend(bpf_backend))
    with Lab(recording) as lab:
        lab.program("r0 = 2\nexit", name="p").run(bytes(60))
    journal = recording.journal
    run = journal.entries[journal.run_at(0)]
    assert isinstance(run, Call)
    run.reply.fields["retval"] = 1  # type: ignore[index]  # the record is a dict; here it is falsified
    assert [told for _, told in differing(list(play(journal, simulated_twin(journal))))] == [["retval"]]


def test_playing_stops_before_the_entry_that_is_asked_for(bpf_backend: str) -> None:
    journal = recorded(bpf_backend, [("run", 60, 0), ("run", 61, 0)])
    played = list(play(journal, simulated_twin(journal), journal.run_at(1)))
    sizes = [
        each.entry.ask.fields["data_size_in"]
        for each in played
        if isinstance(each.entry, Call) and each.entry.ask.command == Command.PROG_TEST_RUN
    ]
    assert sizes == [60]


def test_a_run_that_was_not_made_is_a_lookup_error(bpf_backend: str) -> None:
    with pytest.raises(LookupError, match="no run 0"):
        recorded(bpf_backend, []).run_at(0)


def test_a_machine_with_other_cpus_is_refused(bpf_backend: str) -> None:
    journal = recorded(bpf_backend, [])
    other = SimBackend(Machine(possible_cpus=journal.machine.possible_cpus + 1))
    with pytest.raises(ArgumentError, match=r"SimBackend\(Machine\(possible_cpus="):
        list(play(journal, other))


def counter(memory: Memory) -> int:
    return int.from_bytes(memory.changes[0][1][16:24], sys.byteorder)


def test_writes_to_mapped_memory_stand_before_the_run_that_sees_them(bpf_backend: str) -> None:
    journal = recorded(bpf_backend, [("mapped", 2, 7), ("run", 60, 0)])
    at = journal.run_at(0)
    before, after = journal.entries[at - 1], journal.entries[at + 1]
    assert isinstance(before, Memory)
    assert isinstance(after, Memory)
    assert (before.by_kernel, counter(before)) == (False, 7)
    assert (after.by_kernel, counter(after)) == (True, 8)


def test_pins_and_ids_of_a_journal_are_found_again(bpf_backend: str) -> None:
    recording = JournalBackend(open_backend(bpf_backend))
    with Lab(recording) as lab:
        lab.map("hash", key="u32", value="u64", max_entries=3, name="pinned", pin="pinned")[7] = 8
        by_path = lab.open_map(path=f"{lab.pin_root}/pinned")
        assert lab.open_map(id=by_path.id)[7] == 8
        assert lab.program("r0 = 2\nexit", name="p").info.name == "p"
    journal = recording.journal
    assert differing(list(play(journal, simulated_twin(journal)))) == []


@pytest.mark.parametrize("size", [8, 1 << 20])
def test_a_call_that_points_nowhere_is_recorded_with_its_refusal(bpf_backend: str, size: int) -> None:
    recording = JournalBackend(open_backend(bpf_backend))
    layout = LAYOUTS[Command.PROG_LOAD]
    attr = layout.pack({"prog_type": 6, "insn_cnt": size // 8, "insns": 8, "license": 16})
    memory = (ctypes.c_char * len(attr)).from_buffer(attr)
    answer = recording.bpf(Command.PROG_LOAD, ctypes.c_void_p(ctypes.addressof(memory)), layout.size)
    call = next(recording.journal.calls())
    assert answer == -1
    assert (call.reply.result, call.reply.errno, call.ask.inputs) == (-1, recording.errno(), {})
    assert call.ask.fields["insns"] == 8


def test_an_unknown_command_is_recorded_as_its_bytes(bpf_backend: str) -> None:
    recording = JournalBackend(open_backend(bpf_backend))
    memory = ctypes.create_string_buffer(bytes(range(16)), 16)
    recording.bpf(999, ctypes.c_void_p(ctypes.addressof(memory)), 16)
    call = next(recording.journal.calls())
    assert (call.ask.command, call.ask.rest, call.reply.result) == (999, bytes(range(16)), -1)


@pytest.mark.parametrize("command", sorted(set(Command)))
def test_every_pointer_of_a_command_is_a_field_of_its_attr(command: Command) -> None:
    fields = LAYOUTS[command].by_name.keys()
    factors = {"key", "value", "mark"} | fields
    for pointer in pointers_of(command):
        assert pointer.name in fields
        assert all(factor.isdigit() or factor in factors for factor in pointer.factors)
