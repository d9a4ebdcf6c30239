"""Many elements at once, and what a map costs by the number of its entries."""

from __future__ import annotations

import tracemalloc
from collections import deque
from typing import TYPE_CHECKING

import pytest
from map_kinds import BATCHED

from bpflab.maps.batch_call import RawBatch

if TYPE_CHECKING:
    from conftest import Rigged
    from effort import Effort
    from measure import Measure

    from bpflab import Lab

DICT_LIMITS = {"syscall": 2.5, "bcc": 1.0}


@pytest.mark.ways("bpflab", "raw", "walk", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("name", BATCHED)
def test_batch_lookup(measure: Measure, rigged: Rigged, name: str, way: str) -> None:
    rig = rigged(name, batch=True)
    subject = rig.map
    ways = rig.ways(
        "map_lookup_batch",
        bpflab=subject.lookup_batch,
        raw=lambda: deque(subject.raw_batches(), maxlen=0),
        walk=lambda: deque(subject.items(), maxlen=0),
    )
    limits = {"syscall": 1.3} if way == "raw" else DICT_LIMITS
    measure(
        ways,
        way,
        group="map batch lookup",
        subject=name,
        operations=rig.operations,
        limits=limits if name == "hash" else {},
    )


@pytest.mark.ways("bpflab", "raw", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("name", BATCHED)
def test_batch_update(measure: Measure, rigged: Rigged, name: str, way: str) -> None:
    rig = rigged(name, batch=True)
    subject, shape, content = rig.map, rig.map.shape, rig.dict
    keys, values = (
        b"".join(map(codec.pack, each)) for codec, each in ((shape.key, rig.keys), (shape.value, rig.values))
    )
    packed = RawBatch(rig.operations, memoryview(keys), memoryview(values))
    ways = rig.ways(
        "map_update_batch",
        bpflab=lambda: subject.update_batch(content),
        raw=lambda: subject.update_raw(packed),
    )
    limits = {"syscall": 1.3} if way == "raw" else {"syscall": 2.5}
    measure(
        ways,
        way,
        group="map batch update",
        subject=name,
        operations=rig.operations,
        limits=limits if name == "hash" else {},
    )


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("name", ["hash", "lpm_trie"])
def test_walk_by_keys(measure: Measure, rigged: Rigged, name: str, way: str) -> None:
    rig = rigged(name)
    subject = rig.map

    def walked() -> None:
        key = subject.get_next_key()
        while key is not None:
            key = subject.get_next_key(key)

    ways = rig.ways("map_walk", bpflab=walked)
    measure(ways, way, group="map walk by next key", subject=name, operations=rig.operations)


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
@pytest.mark.axis("entries", kernel=[100, 1_000, 10_000, 100_000], sim=[10, 100, 1_000])
@pytest.mark.parametrize("name", ["hash", "array", "lpm_trie"])
def test_lookup_among_entries(measure: Measure, rigged: Rigged, name: str, entries: int, way: str) -> None:
    rig = rigged(name, entries=entries)
    subject, keys = rig.map, rig.keys

    def looked_up() -> None:
        for key in keys:
            subject[key]

    measure(
        rig.ways("map_lookup", bpflab=looked_up),
        way,
        group=f"map lookup by entries: {name}",
        subject=name,
        operations=rig.operations,
        axis="entries",
        value=entries,
    )


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
@pytest.mark.axis("entries", kernel=[100, 1_000, 10_000, 100_000], sim=[10, 100, 1_000])
def test_batch_lookup_of_entries(measure: Measure, rigged: Rigged, entries: int, way: str) -> None:
    rig = rigged("hash", entries=entries)
    subject = rig.map
    subject.update_batch((key, key) for key in range(entries))
    rig.operations, rig.keys, rig.values = entries, list(range(entries)), list(range(entries))
    measure(
        rig.ways("map_lookup_batch", bpflab=subject.lookup_batch),
        way,
        group="map batch lookup by entries",
        subject="hash",
        operations=entries,
        axis="entries",
        value=entries,
    )


MILLION = 1_000_000
MOST_MEGABYTES = 20


def test_memory_of_a_walk(lab: Lab, effort: Effort, pytestconfig: pytest.Config) -> None:
    """Hold the memory that walking over a million entries takes above the start."""
    if not pytestconfig.getoption("check_limits") or effort.backend != "kernel":
        pytest.skip("holds a limit on the running kernel: asked for by --check")
    subject = lab.map("hash", key="u32", value="u64", max_entries=MILLION)
    subject.update_batch((key, key) for key in range(MILLION))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    seen = sum(1 for _ in subject.items())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == MILLION
    assert (peak - before) / 1e6 < MOST_MEGABYTES
