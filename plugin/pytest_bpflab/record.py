"""What a test did on one backend: its runs in order, and what its maps held at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_bpflab.excuses import NONE, Excuses, clear, split, value_codec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_bpflab.runs import Run

LARGEST: Final = 4096
"""Maps with more entries than this are not compared."""
OF_OBJECTS: Final = frozenset(
    {"PROG_ARRAY", "ARRAY_OF_MAPS", "HASH_OF_MAPS", "PERF_EVENT_ARRAY", "CGROUP_ARRAY", "SOCKMAP", "SOCKHASH", "XSKMAP"}
)
"""Maps whose values are numbers of kernel objects, which differ from kernel to kernel."""
Contents = dict[bytes, tuple[bytes, ...]]


@dataclass(slots=True)
class Record:
    """The runs, and the entries of each map by the map's name. A per-CPU value is its parts, sorted."""

    runs: list[Run] = field(default_factory=list)
    maps: dict[str, Contents] = field(default_factory=dict)


def contents_of(maps: Mapping[str, Any], excuses: Excuses = NONE) -> dict[str, Contents]:
    """Read every map that can be walked, as bytes, without the maps and fields that may differ."""
    paths = [split(said, maps) for said in excuses.maps]
    found = {name: _entries(each) for name, each in maps.items() if _is_compared(each) and (name, []) not in paths}
    for name, path in paths:
        if name in found:
            codec = value_codec(maps[name])
            found[name] = {key: _cleared(codec, parts, path) for key, parts in found[name].items()}
    return found


def _is_compared(each: Any) -> bool:  # noqa: ANN401 - any map
    small = not each.closed and each.max_entries <= LARGEST
    return small and hasattr(each, "raw_batches") and each.type.name not in OF_OBJECTS


def _entries(each: Any) -> Contents:  # noqa: ANN401 - any map that can be walked
    parts = lab_cpus(each)
    key_size, value_size = each.shape.key.size, each.shape.value.size
    found: Contents = {}
    for batch in each.raw_batches():
        keys, values = bytes(batch.keys), bytes(batch.values)
        for index in range(batch.count):
            key = keys[index * key_size : (index + 1) * key_size]
            found[key] = _parts(values[index * value_size : (index + 1) * value_size], parts)
    return found


def lab_cpus(each: Any) -> int:  # noqa: ANN401 - as above
    """Return how many values an entry has: one, or one for each CPU."""
    return each.lab.backend.possible_cpus if each.shape.rule.per_cpu else 1


def _cleared(codec: Any, parts: tuple[bytes, ...], path: list[str]) -> tuple[bytes, ...]:  # noqa: ANN401 - any codec
    # What fills the value of a CPU up to eight bytes is no part of it.
    size = codec.size
    return tuple(sorted(clear(codec, part[:size], path) + part[size:] for part in parts))


def _parts(value: bytes, parts: int) -> tuple[bytes, ...]:
    size = len(value) // parts
    return tuple(sorted(value[at * size : (at + 1) * size] for at in range(parts)))


def difference(first: Record, second: Record, excuses: Excuses = NONE) -> str:
    """Say in words where two records differ first; empty where they do not.

    Runs are compared as long as both were given the same: a test that draws its inputs takes its own way.
    """
    for number, (one, other) in enumerate(zip(first.runs, second.runs, strict=False), 1):
        if _given(one) != _given(other):
            return ""
        told = _run_difference(one, other, excuses)
        if told:
            return f"run {number}, program {one.program!r}: {told}"
    if len(first.runs) != len(second.runs):
        return ""
    return _map_difference(first, second)


def _given(run: Run) -> tuple[object, ...]:
    return run.program, run.digest, run.type, run.packet, run.ctx, run.repeat


def _run_difference(one: Run, other: Run, excuses: Excuses) -> str:
    for what, shown in (("errno", int), ("verdict", str), ("retval", hex), ("output", _hex), ("ctx_output", _hex)):
        left, right = _compared(one, what, excuses), _compared(other, what, excuses)
        if left != right:
            return f"{what} is {shown(left)} on {one.backend} and {shown(right)} on {other.backend}"
    return ""


def _compared(run: Run, what: str, excuses: Excuses) -> Any:  # noqa: ANN401 - a number, verdict or bytes
    if what == "output":
        return excuses.output(run.output)
    if what == "ctx_output":
        return excuses.context(run.ctx_output, run.type)
    return 0 if what != "errno" and "retval" in excuses.results else getattr(run, what)


def _map_difference(first: Record, second: Record) -> str:
    for name in sorted(first.maps.keys() & second.maps.keys()):
        left, right = first.maps[name], second.maps[name]
        for key in sorted(left.keys() | right.keys()):
            if left.get(key) != right.get(key):
                return f"map {name!r} at key {key.hex()}: {_value(left.get(key))} and {_value(right.get(key))}"
    return ""


def _hex(data: bytes) -> str:
    return f"{len(data)} bytes {data.hex()}" if data else "nothing"


def _value(parts: tuple[bytes, ...] | None) -> str:
    return "nothing" if parts is None else ", ".join(part.hex() for part in parts)
