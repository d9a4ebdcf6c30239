"""What map operations cost, beside C over the same system calls in the same run, and beside bcc where it is installed.

    python bench/bench_maps.py [--rounds 21] [--entries 10000] [--markdown] [--check]

Needs root and a C compiler. `--check` fails when a ratio is above its limit. Times are of the thread's CPU.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import time
import tracemalloc
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c_baseline import build, by_turns

from bpflab.lab import Lab
from bpflab.maps.batch_call import CHUNK_ENTRIES, RawBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpflab.maps.base import Map

Table = Any
"""A table of bcc, which has no types."""
BCC = Path("/usr/lib/python3/dist-packages")
MILLION = 1_000_000
LIMITS = {
    ("lookup", "bpflab"): 3.0,
    ("update", "bpflab"): 3.0,
    ("batch lookup", "raw_batches()"): 1.3,
    ("batch lookup", "lookup_batch() to a dict"): 2.5,
    ("batch update", "update_raw()"): 1.3,
    ("batch update", "update_batch() from a dict"): 2.5,
}
"""The largest ratio to C that an operation may have."""


@dataclass(frozen=True)
class Row:
    """One operation: the nanoseconds for each element, by way."""

    name: str
    medians: dict[str, float]

    def ratio(self, way: str, to: str = "C") -> float:
        return self.medians[way] / self.medians[to]


class Rig:
    """A filled hash map, and the ways to use it."""

    def __init__(self, lab: Lab, entries: int) -> None:
        self.entries = entries
        self.map: Map[int, int] = lab.map("hash", key="u32", value="u64", max_entries=entries * 2)
        self.content = {key: key for key in range(entries)}
        self.map.update_batch(self.content)
        self.keys = (ctypes.c_uint32 * entries)(*range(entries))
        self.values = (ctypes.c_uint64 * entries)(*range(entries))
        self.c = build("maps")
        self.table = bcc_table(self.map)

    def c_way(self, name: str) -> Callable[[], object]:
        function, fd, count = getattr(self.c, name), self.map.fileno(), ctypes.c_long(self.entries)
        return lambda: function(fd, count)

    def c_batch(self, name: str) -> Callable[[], object]:
        function, fd = getattr(self.c, name), self.map.fileno()
        count, chunk = ctypes.c_long(self.entries), ctypes.c_long(CHUNK_ENTRIES)
        return lambda: function(fd, self.keys, self.values, count, chunk)


def lookups(rig: Rig) -> dict[str, Callable[[], object]]:
    subject, entries = rig.map, rig.entries

    def by_item() -> None:
        for key in range(entries):
            subject[key]

    def by_method() -> None:
        for key in range(entries):
            subject.lookup(key)

    ways: dict[str, Callable[[], object]] = {"C": rig.c_way("map_lookup"), "bpflab": by_item, "lookup()": by_method}
    return {**ways, **bcc_ways(rig, lambda table, key: table[ctypes.c_uint32(key)].value)}


def updates(rig: Rig) -> dict[str, Callable[[], object]]:
    subject, entries = rig.map, rig.entries

    def by_item() -> None:
        for key in range(entries):
            subject[key] = key

    def by_method() -> None:
        for key in range(entries):
            subject.update(key, key)

    def assign(table: Table, key: int) -> None:
        table[ctypes.c_uint32(key)] = ctypes.c_uint64(key)

    ways: dict[str, Callable[[], object]] = {"C": rig.c_way("map_update"), "bpflab": by_item, "update()": by_method}
    return {**ways, **bcc_ways(rig, assign)}


def deletions(rig: Rig) -> dict[str, Callable[[], object]]:
    subject, entries = rig.map, rig.entries

    def by_item() -> None:
        for key in range(entries):
            del subject[key]
            subject[key] = key

    def renew(table: Table, key: int) -> None:
        del table[ctypes.c_uint32(key)]
        table[ctypes.c_uint32(key)] = ctypes.c_uint64(key)

    ways: dict[str, Callable[[], object]] = {"C": rig.c_way("map_delete_and_update"), "bpflab": by_item}
    return {**ways, **bcc_ways(rig, renew)}


def batch_lookups(rig: Rig) -> dict[str, Callable[[], object]]:
    subject = rig.map

    def raw() -> None:
        for _ in subject.raw_batches():
            pass

    def walk() -> None:
        for _ in subject.items():
            pass

    ways: dict[str, Callable[[], object]] = {
        "C": rig.c_batch("map_lookup_batch"),
        "raw_batches()": raw,
        "lookup_batch() to a dict": subject.lookup_batch,
        "for k, v in items()": walk,
        "dict(items())": lambda: dict(subject.items()),
    }
    if rig.table is not None:
        table = rig.table
        ways["bcc"] = lambda: dict(table.items_lookup_batch())
    return ways


def batch_updates(rig: Rig) -> dict[str, Callable[[], object]]:
    subject = rig.map
    packed = RawBatch(rig.entries, memoryview(rig.keys).cast("B"), memoryview(rig.values).cast("B"))
    ways: dict[str, Callable[[], object]] = {
        "C": rig.c_batch("map_update_batch"),
        "update_raw()": lambda: subject.update_raw(packed),
        "update_batch() from a dict": lambda: subject.update_batch(rig.content),
    }
    return ways


OPERATIONS: dict[str, Callable[[Rig], dict[str, Callable[[], object]]]] = {
    "lookup": lookups,
    "update": updates,
    "delete and update": deletions,
    "batch lookup": batch_lookups,
    "batch update": batch_updates,
}


def bcc_table(subject: Map[int, int]) -> Table | None:
    """Make bcc's table of a map that bcc did not create; None where bcc is not installed."""
    if BCC.exists():
        sys.path.append(str(BCC))
    try:
        HashTable = import_module("bcc.table").HashTable  # noqa: N806 - a class
    except (ImportError, OSError):
        return None
    table = object.__new__(HashTable)
    table.map_fd, table.Key, table.Leaf = subject.fileno(), ctypes.c_uint32, ctypes.c_uint64
    table.max_entries, table.flags, table._cbs, table._name = subject.max_entries, 0, {}, "bench"
    return table


def bcc_ways(rig: Rig, use: Callable[[Table, int], object]) -> dict[str, Callable[[], object]]:
    if rig.table is None:
        return {}

    def loop() -> None:
        table = rig.table
        for key in range(rig.entries):
            use(table, key)

    return {"bcc": loop}


def measured(rig: Rig, name: str, rounds: int) -> Row:
    def timer(call: Callable[[], object]) -> Callable[[], float]:
        def taken() -> float:
            began = time.thread_time_ns()
            call()
            return (time.thread_time_ns() - began) / rig.entries

        return taken

    ways = OPERATIONS[name](rig)
    return Row(name, by_turns({way: timer(call) for way, call in ways.items()}, rounds))


def walk_memory(lab: Lab) -> float:
    """Return the megabytes that walking over a million entries takes above the start."""
    subject = lab.map("hash", key="u32", value="u64", max_entries=MILLION)
    subject.update_batch((key, key) for key in range(MILLION))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    seen = sum(1 for _ in subject.items())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if seen != MILLION:
        raise AssertionError(f"{seen} of {MILLION} entries were seen")
    return (peak - before) / 1e6


def text(rows: Iterable[Row], *, markdown: bool) -> str:
    lines = ["| operation | way | ns | ratio to C |", "|---|---|---|---|"] if markdown else []
    for row in rows:
        for way, nanoseconds in row.medians.items():
            ratio = row.ratio(way)
            if markdown:
                lines.append(f"| {row.name} | {way} | {nanoseconds:.0f} | {ratio:.2f} |")
            else:
                lines.append(f"  {row.name:18} {way:28} {nanoseconds:8.0f} ns {ratio:8.2f}")
    return "\n".join(lines)


def breaches(rows: dict[str, Row], memory: float) -> list[str]:
    found = [
        f"{name}, {way}: {rows[name].ratio(way):.2f} times C, at most {limit} is wanted"
        for (name, way), limit in LIMITS.items()
        if rows[name].ratio(way) > limit
    ]
    walk = rows["batch lookup"].ratio("for k, v in items()", "lookup_batch() to a dict")
    if walk > 1.5:
        found.append(f"iteration: {walk:.2f} times the batch to a dict, at most 1.5 is wanted")
    for name, way in (("lookup", "bpflab"), ("update", "bpflab"), ("batch lookup", "lookup_batch() to a dict")):
        if "bcc" in rows[name].medians and rows[name].ratio(way, "bcc") > 1:
            found.append(f"{name}: {rows[name].ratio(way, 'bcc'):.2f} times bcc, at most 1 is wanted")
    if memory > 20:
        found.append(f"walking over a million entries: {memory:.1f} MB, at most 20 are wanted")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with Lab("kernel") as lab:
        rig = Rig(lab, options.entries)
        rows = {name: measured(rig, name, options.rounds) for name in OPERATIONS}
        memory = walk_memory(lab)
    print(text(rows.values(), markdown=options.markdown))
    print(f"\nwalking over a million entries takes {memory:.1f} MB above the start")
    found = breaches(rows, memory)
    print("\n".join(found) or "every limit is kept")
    if options.check and found:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
