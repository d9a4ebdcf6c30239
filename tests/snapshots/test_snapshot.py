"""A snapshot brings back what maps held, on every backend."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab, MapFlag, MapType
from bpflab.errors import ClosedError, SyscallError
from bpflab.maps.array import IndexedArray
from bpflab.obj.spec import MapSpec, ObjectSpec

OperationsT = list[tuple[str, int, int]]
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["set", "delete"]), st.integers(0, 7), st.integers(0, 2**32 - 1)), max_size=12
)
PASS, DROP = "r0 = 2\nexit", "r0 = 1\nexit"


def apply(target: Any, operations: OperationsT, key: Callable[[int], Any] = int) -> None:
    """Set and delete entries; deletions of what is not there are nothing."""
    for what, number, value in operations:
        if what == "set":
            target[key(number)] = value
        elif not isinstance(target, IndexedArray):
            target.delete(key(number))


TABLES: dict[str, tuple[dict[str, Any], Callable[[int], Any]]] = {
    "hash": ({"type": "hash", "key": "u32"}, int),
    "hash without preallocation": ({"type": "hash", "key": "u32", "flags": MapFlag.NO_PREALLOC}, int),
    "lru hash": ({"type": "lru_hash", "key": "u32", "max_entries": 64}, int),
    "prefixes": (
        {"type": "lpm_trie", "key": "ipv4", "flags": MapFlag.NO_PREALLOC},
        lambda number: f"10.{number}.0.0/{16 + number}",
    ),
    "array": ({"type": "array"}, int),
    "array in shared memory": ({"type": "array", "flags": MapFlag.MMAPABLE}, int),
}


@pytest.mark.parametrize("table", TABLES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=OPERATIONS, after=OPERATIONS)
def test_a_table_holds_again_what_it_held(bpf: Lab, table: str, before: OperationsT, after: OperationsT) -> None:
    arguments, key = TABLES[table]
    with bpf.scope():
        target = bpf.map(**{"value": "u32", "max_entries": 8, **arguments})
        apply(target, before, key)
        held = dict(target.items())
        snapshot = bpf.snapshot()
        for _ in range(2):
            apply(target, after, key)
            snapshot.restore()
            assert dict(target.items()) == held


@pytest.mark.parametrize("kind", ["percpu_array", "percpu_hash", "lru_percpu_hash"])
def test_the_values_of_every_cpu_come_back(bpf: Lab, kind: str) -> None:
    counts = bpf.map(kind, key="u32", value="u64", max_entries=4)
    counts[1] = range(10, 10 + bpf.backend.possible_cpus)
    held = {key: list(values) for key, values in counts.items()}
    with bpf.snapshot():
        counts[1] = [7] * bpf.backend.possible_cpus
        counts[2] = [8] * bpf.backend.possible_cpus
    assert {key: list(values) for key, values in counts.items()} == held


@pytest.mark.parametrize("kind", ["queue", "stack"])
def test_a_queue_keeps_its_values_in_their_order(bpf: Lab, kind: str) -> None:
    values = bpf.map(kind, value="u32", max_entries=8)
    values.extend([1, 2, 3])
    snapshot = bpf.snapshot(values)
    assert values.peek() == (1 if kind == "queue" else 3)
    values.pop()
    values.extend([8, 9])
    snapshot.restore()
    assert list(values.drain()) == ([1, 2, 3] if kind == "queue" else [3, 2, 1])


def test_tail_calls_lead_where_they_led_even_when_the_program_was_closed(bpf: Lab) -> None:
    table = bpf.map("prog_array", max_entries=4)
    table[0] = first = bpf.program(PASS)
    number = first.id
    snapshot = bpf.snapshot()
    first.close()
    table[0] = table[2] = bpf.program(DROP)
    snapshot.restore()
    assert dict(table.items()) == {0: number}


def test_maps_of_maps_hold_the_same_maps(bpf: Lab) -> None:
    outer = bpf.map("hash_of_maps", key="u32", max_entries=4, inner={"type": "array", "value": "u32", "max_entries": 1})
    inner = outer.create(1)
    inner[0] = 5
    with bpf.snapshot():
        inner[0] = 6
        outer.create(1)
        outer.create(2)
    assert list(outer) == [1]
    assert outer.inner_id(1) == inner.id
    assert inner[0] == 5


def test_a_ring_buffer_is_empty_again(bpf: Lab) -> None:
    ring = bpf.map("ringbuf", max_entries=4096, name="ring")
    program = bpf.program("""
        r1 = 7
        *(u64 *)(r10 - 8) = r1
        r1 = map[name:ring]
        r2 = r10
        r2 += -8
        r3 = 8
        r4 = 0
        call ringbuf_output
        r0 = 2
        exit
    """)
    snapshot = bpf.snapshot()
    with ring.consumer() as consumer:
        program.run(bytes(14))
        snapshot.restore()
        assert list(consumer.drain()) == []
        program.run(bytes(14))
        assert [bytes(event) for event in consumer.drain()] == [(7).to_bytes(8, sys.byteorder)]


def test_what_cannot_come_back_is_named(bpf: Lab) -> None:
    bpf.map("bloom_filter", value="u32", max_entries=4, name="seen")
    bpf.map("perf_event_array", name="events")
    bpf.map("hash", key="u32", value="u32", max_entries=1, name="plain")
    assert bpf.snapshot().left_out == {
        "seen": "nothing can be taken out of it",
        "events": "a kernel does not tell what is in it",
    }


def test_a_frozen_map_is_left_as_it_is(bpf: Lab) -> None:
    settings_map = bpf.map("array", value="u32", max_entries=1, name="settings")
    settings_map[0] = 4
    settings_map.freeze()
    snapshot = bpf.snapshot()
    assert snapshot.left_out == {"settings": "it is frozen"}
    snapshot.restore()
    assert settings_map[0] == 4


def test_a_map_in_shared_memory_may_still_be_frozen_beside_a_snapshot(bpf: Lab) -> None:
    shared = bpf.map("array", value="u32", max_entries=1, flags=MapFlag.MMAPABLE)
    with bpf.snapshot():
        shared[0] = 1
    bpf.snapshot()
    shared.freeze()
    with pytest.raises(SyscallError, match="EPERM"):
        shared[0] = 2


def test_only_the_given_maps_come_back(bpf: Lab) -> None:
    one, other = (bpf.map("array", value="u32", max_entries=1) for _ in range(2))
    with bpf.snapshot(one):
        one[0] = other[0] = 3
    assert (one[0], other[0]) == (0, 3)


def test_a_map_that_was_closed_is_passed_over(bpf: Lab) -> None:
    gone, kept = (bpf.map("hash", key="u32", value="u32", max_entries=4) for _ in range(2))
    snapshot = bpf.snapshot()
    gone.close()
    kept[1] = 1
    snapshot.restore()
    assert dict(kept.items()) == {}


def test_a_closed_snapshot_refuses_and_is_forgotten_by_its_lab(bpf: Lab) -> None:
    with bpf.snapshot() as snapshot:
        pass
    assert repr(bpf) == f"<Lab on {bpf.backend.name}, 0 open>"
    with pytest.raises(ClosedError, match="take another one"):
        snapshot.restore()


def test_a_snapshot_leaves_nothing_open(bpf: Lab) -> None:
    table = bpf.map("prog_array", max_entries=1)
    table[0] = program = bpf.program(PASS)
    bpf.snapshot().close()
    del table[0]
    program.close()
    assert not program.exists


def test_a_refusal_is_told_in_the_maps_words(bpf: Lab) -> None:
    names = bpf.map("hash", key="u32", value="u32", max_entries=2, name="names")
    names.update({1: 1, 2: 2})
    snapshot = bpf.snapshot()
    names.clear()
    bpf.open_map(id=names.id).freeze()
    with pytest.raises(SyscallError, match="names"):
        snapshot.restore()


@pytest.mark.bpf(backend="sim")
def test_a_simulated_kernel_is_set_back_with_its_maps(bpf: Lab) -> None:
    eth0 = bpf.world.add_interface("eth0", mtu=1500)
    bpf.random.seed(3)
    snapshot = bpf.snapshot()
    first = bpf.random.u32()
    now = bpf.clock.now
    bpf.clock.advance(seconds=5)
    bpf.cpu = 1
    eth0.mtu = 9000
    bpf.world.add_interface("eth1")
    bpf.world.add_route("10.0.0.0/8", eth0)
    bpf.world.helpers["bpf_ktime_get_ns"] = lambda _env: 4
    snapshot.restore()
    assert (bpf.clock.now, bpf.cpu, eth0.mtu, len(bpf.world.interfaces)) == (now, 0, 1500, 2)
    assert (bpf.world.routes, bpf.world.helpers) == ([], {})
    assert bpf.random.u32() == first


@pytest.mark.bpf(backend="sim")
def test_alarms_that_were_set_since_do_not_ring(bpf: Lab) -> None:
    rung: list[str] = []
    bpf.clock.at(bpf.clock.now + 5, lambda: rung.append("before"))
    snapshot = bpf.snapshot()
    bpf.clock.at(bpf.clock.now + 3, lambda: rung.append("since"))
    snapshot.restore()
    bpf.clock.advance(nanoseconds=10)
    assert rung == ["before"]


def test_a_scope_closes_what_was_opened_in_it_and_nothing_else(bpf: Lab) -> None:
    before = bpf.map("array", value="u32", max_entries=1, name="before")
    with bpf.scope():
        inside = bpf.map("array", value="u32", max_entries=1, name="inside")
        program = bpf.program(PASS)
    assert inside.closed
    assert program.closed
    assert not before.closed
    assert set(bpf.maps) == {"before"}


def test_an_objects_snapshot_covers_its_maps(bpf: Lab) -> None:
    definition = MapSpec("m", MapType.ARRAY, key_size=4, value_size=4, max_entries=1)
    spec = ObjectSpec("x", {"m": definition}, {}, "GPL", None, bpf.backend.byteorder)
    loaded = bpf.load(spec)
    with loaded.snapshot():
        loaded.maps.m[0] = 9
    assert loaded.maps.m[0] == 0
