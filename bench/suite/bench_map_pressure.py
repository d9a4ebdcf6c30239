"""Maps that work: an LRU map that is too small, a trie whose prefixes lie deep, memory that is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from measure import Turn

from bpflab.abi.flags import MapFlag

if TYPE_CHECKING:
    from conftest import Rigged
    from effort import Effort
    from measure import Measure

    from bpflab import Lab


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("pressure", [1, 2, 8])
@pytest.mark.parametrize("name", ["lru_hash", "lru_percpu_hash"])
def test_lru_under_pressure(measure: Measure, rigged: Rigged, name: str, pressure: int, way: str) -> None:
    """Update `pressure` times as many keys as there is room for; above 1 most updates push an entry out."""
    rig = rigged(name)
    small = rig.lab.map(name, key="u32", value="u64", max_entries=max(8, rig.operations // pressure))
    rig.map, pairs = small, list(zip(rig.keys, rig.values, strict=True))

    def updated() -> None:
        for key, value in pairs:
            small[key] = value

    measure(
        rig.ways("map_update", bpflab=updated),
        way,
        group=f"LRU under pressure: {name}",
        subject=name,
        operations=rig.operations,
        axis="pressure",
        value=pressure,
    )


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("depth", [1, 8, 24])
def test_lpm_lookup_by_depth(measure: Measure, rigged: Rigged, depth: int, way: str) -> None:
    """Look one address up where `depth` nested prefixes contain it."""
    rig = rigged("lpm_trie", entries=64)
    routes = rig.lab.map("lpm_trie", key=8, value="u64", max_entries=64)
    address = bytes([10, 20, 30, 40])
    for length in range(32 - depth, 33):
        kept = int.from_bytes(address) >> (32 - length) << (32 - length)
        routes[length, kept.to_bytes(4)] = length
    rig.map, rig.keys = routes, [(32, address)] * rig.operations
    keys = rig.keys

    def looked_up() -> None:
        for key in keys:
            routes[key]

    measure(
        rig.ways("map_lookup", bpflab=looked_up),
        way,
        group="LPM lookup by depth",
        subject="lpm_trie",
        operations=rig.operations,
        axis="depth",
        value=depth,
    )


@pytest.mark.ways("read", "write", "struct")
def test_array_memory(measure: Measure, lab: Lab, effort: Effort, way: str) -> None:
    """Read and write elements of an array through shared memory, as against a bytearray."""
    count = effort.count(kernel=4_000, sim=200)
    array = lab.map("array", value="u64", max_entries=count, flags=MapFlag.MMAPABLE)
    words, plain, places = array.memory().cast("Q"), memoryview(bytearray(8 * count)).cast("Q"), range(count)

    def read(memory: memoryview) -> None:
        for place in places:
            memory[place]

    def written() -> None:
        for place in places:
            words[place] = place

    ways: dict[str, Any] = {"read": lambda: read(words), "write": written, "struct": lambda: read(plain)}
    measure(ways, way, group="memory of maps", subject="array", operations=count)
    words.release()


@pytest.mark.parametrize("size", [8, 4096])
def test_arena_memory(measure: Measure, lab: Lab, effort: Effort, size: int) -> None:
    """Write stretches of an arena's memory."""
    pages = 16
    arena = lab.map("arena", max_entries=pages, flags=MapFlag.MMAPABLE)
    memory, data, count = arena.memory(), bytes(size), effort.count(kernel=2_000, sim=100)

    def written() -> None:
        for _ in range(count):
            memory[:size] = data

    measure({"bpflab": written}, group="memory of maps", subject="arena", operations=count, axis="bytes", value=size)
    memory.release()


@pytest.mark.axis("bytes", kernel=[8, 64, 1024], sim=[8, 64, 1024])
def test_user_ring_buffer(measure: Measure, lab: Lab, effort: Effort, bytes: int) -> None:  # noqa: A002 - the axis
    """Submit records to a program's ring buffer; nobody takes them, so each round has a ring of its own."""
    data, count = bytearray(bytes), effort.count(kernel=200, sim=40)
    record = memoryview(data).tobytes()
    rings = [lab.map("user_ringbuf", max_entries=1 << 19).producer() for _ in range(effort.rounds + 1)]
    left = iter(rings)
    taken: list[Any] = []

    def submitted() -> None:
        submit = taken[-1].submit
        for _ in range(count):
            submit(record)

    turn = Turn(submitted, before=lambda: taken.append(next(left)))
    measure({"bpflab": turn}, group="user ring buffer", subject="submit", operations=count, axis="bytes", value=bytes)
