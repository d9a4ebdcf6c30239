"""Elements one at a time, for every type of map: looked up, written, deleted and written again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from map_kinds import KINDS
from map_rig import KEYLESS

from bpflab.abi.map_rules import RULES, MapOp
from bpflab.abi.map_types import MapType

if TYPE_CHECKING:
    from conftest import Rigged
    from measure import Measure

LIMITS: Final = {"syscall": 3.0, "bcc": 1.0}
"""How many times the time of the others `m[k]` and `m[k] = v` may take, for a hash of numbers."""


def with_(op: MapOp) -> list[str]:
    """Name the types with keys that have an operation."""
    written = op is not MapOp.LOOKUP
    names = [name for name in KINDS if name not in KEYLESS and (KINDS[name].written or not written)]
    return [name for name in names if op in RULES[MapType[name.upper()]].ops]


@pytest.mark.ways("bpflab", "method", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("name", with_(MapOp.LOOKUP))
def test_lookup(measure: Measure, rigged: Rigged, name: str, way: str) -> None:
    rig = rigged(name)
    subject, keys = rig.map, rig.keys
    lookup = subject.lookup

    def by_item() -> None:
        for key in keys:
            subject[key]

    def by_method() -> None:
        for key in keys:
            lookup(key)

    if not rig.kind.written:
        by_item = by_method
    ways = rig.ways("map_lookup", bpflab=by_item, method=by_method)
    limits = LIMITS if (name, way) == ("hash", "bpflab") else {}
    measure(ways, way, group="map lookup", subject=name, operations=rig.operations, limits=limits)


@pytest.mark.ways("bpflab", "method", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("name", [name for name in with_(MapOp.UPDATE) if not KINDS[name].once])
def test_update(measure: Measure, rigged: Rigged, name: str, way: str) -> None:
    rig = rigged(name, changing=True)
    subject, pairs = rig.map, list(zip(rig.keys, rig.values, strict=True))

    def by_item() -> None:
        for key, value in pairs:
            subject[key] = value

    def by_method() -> None:
        for key, value in pairs:
            subject.update(key, value)

    ways = rig.ways("map_update", bpflab=by_item, method=by_method)
    limits = LIMITS if (name, way) == ("hash", "bpflab") else {}
    measure(ways, way, group="map update", subject=name, operations=rig.operations, limits=limits)


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("name", with_(MapOp.DELETE))
def test_delete_and_update(measure: Measure, rigged: Rigged, name: str, way: str) -> None:
    rig = rigged(name, changing=True)
    subject, pairs = rig.map, list(zip(rig.keys, rig.values, strict=True))

    def renewed() -> None:
        for key, value in pairs:
            subject.delete(key)
            subject[key] = value

    ways = rig.ways("map_delete_and_update", bpflab=renewed)
    measure(ways, way, group="map delete and update", subject=name, operations=rig.operations)


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("name", ["queue", "stack"])
def test_push_and_pop(measure: Measure, rigged: Rigged, name: str, way: str) -> None:
    rig = rigged(name)
    subject, values = rig.map, rig.values

    def pushed_and_popped() -> None:
        for value in values:
            subject.push(value)
            subject.pop()

    ways = rig.ways("map_push_and_pop", bpflab=pushed_and_popped)
    measure(ways, way, group="map push and pop", subject=name, operations=rig.operations)


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
@pytest.mark.parametrize("name", ["queue", "stack"])
def test_peek(measure: Measure, rigged: Rigged, name: str, way: str) -> None:
    rig = rigged(name)
    peek, times = rig.map.peek, range(rig.operations)

    def peeked() -> None:
        for _ in times:
            peek()

    ways = rig.ways("map_lookup", bpflab=peeked)
    measure(ways, way, group="map lookup", subject=name, operations=rig.operations)


@pytest.mark.ways("bpflab", kernel=["libbpf"], sim=["dict"])
def test_bloom_filter(measure: Measure, rigged: Rigged, way: str) -> None:
    rig = rigged("bloom_filter")
    subject, values = rig.map, rig.values

    def asked() -> None:
        for value in values:
            value in subject  # noqa: B015 - asking is what is measured

    ways = rig.ways("map_contains", bpflab=asked)
    measure(ways, way, group="map lookup", subject="bloom_filter", operations=rig.operations)
