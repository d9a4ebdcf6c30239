"""What a test says may differ between its backends: `@pytest.mark.bpf(may_differ=["ctx.hash", "maps.seen"])`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

    from bpflab.abi.prog_types import ProgType

RESULTS: Final = ("retval", "data", "ctx")
"""The parts of a run's result, as RunResult names them."""
FORMS: Final = "retval, data, ctx, ctx.FIELD, maps.NAME or maps.NAME.FIELD"


@dataclass(frozen=True, slots=True)
class Excuses:
    """What may differ: parts of results, fields of contexts, and maps or fields of their values.

    `maps` has what was said behind `maps.`, and `own` those of them that the test says itself, not its class or module,
    whose other tests may have other maps.
    """

    results: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    maps: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    def output(self, data: bytes) -> bytes:
        """Return a packet as it is compared."""
        return b"" if "data" in self.results else data

    def context(self, data: bytes, prog_type: ProgType) -> bytes:
        """Return a context as it is compared: without the fields that may differ."""
        if "ctx" in self.results:
            return b""
        return _without_fields(data, prog_type, self.fields) if self.fields else data


NONE: Final = Excuses()


def excuses_of(item: pytest.Item) -> Excuses:
    """Return what a test's markers say may differ."""
    said = [(node is item, str(name)) for node, mark in item.iter_markers_with_node("bpf") for name in _names(mark)]
    maps = [(own, name.removeprefix("maps.")) for own, name in said if name.startswith("maps.")]
    return Excuses(
        frozenset(name for _, name in said if name in RESULTS),
        frozenset(name.removeprefix("ctx.") for _, name in said if name.startswith("ctx.")),
        tuple(name for _, name in maps),
        tuple(name for own, name in maps if own),
    )


def mistake_in(mark: pytest.Mark) -> str:
    """Say in words what a marker's `may_differ` names that cannot be; empty when all is well."""
    given = mark.kwargs.get("may_differ", ())
    if not isinstance(given, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in given):
        return f"may_differ={given!r}; expected a list of names: {FORMS}."
    return next(filter(None, map(_mistake, given)), "")


def map_mistake(excuses: Excuses, maps: Mapping[str, Any]) -> str:
    """Say in words which map, or field of its value, is excused and not there; empty when all are."""
    from bpflab.errors import BpfError

    for said in excuses.own:
        name, path = split(said, maps)
        if name not in maps:
            return f"may_differ names 'maps.{said}', and the test has no such map; it has {_listed(maps)}."
        try:
            clear(value_codec(maps[name]), bytes(value_codec(maps[name]).size), path)
        except BpfError as error:
            return f"may_differ names 'maps.{said}': {error}"
    return ""


def split(said: str, maps: Iterable[str]) -> tuple[str, list[str]]:
    """Split what was said of a map into its name, which may have dots, and the path to a field of its value."""
    known, parts = set(maps), said.split(".")
    for count in range(len(parts), 0, -1):
        if (name := ".".join(parts[:count])) in known:
            return name, parts[count:]
    return said, []


def value_codec(each: Any) -> Any:  # noqa: ANN401 - any map, any codec
    """Return the codec of a map's value, or of the value of one CPU."""
    return getattr(each.shape.value, "element", each.shape.value)


def clear(codec: Any, raw: bytes, path: list[str]) -> bytes:  # noqa: ANN401 - any codec
    """Return a value's bytes with the field at a path cleared, the whole value at no path; CodecError in words."""
    if not path:
        return bytes(len(raw))
    found = _field(codec, path[0])
    if found.bitfield:
        cleared: bytes = codec.written(raw, {path[0]: 0})
        return cleared
    return raw[: found.start] + clear(found.codec, raw[found.start : found.stop], path[1:]) + raw[found.stop :]


def _field(codec: Any, name: str) -> Any:  # noqa: ANN401 - any codec, its field
    from bpflab.errors import CodecError
    from bpflab.maps.codecs.records import RecordCodec

    if not isinstance(codec, RecordCodec):
        raise CodecError(
            f"{codec.name} has no field {name!r}: only records, which BTF describes, have fields; name the map alone."
        )
    return codec.field(name)


def _names(mark: pytest.Mark) -> Iterable[object]:
    given: Iterable[object] = mark.kwargs.get("may_differ", ())
    return given


def _mistake(name: str) -> str:
    first, dot, rest = name.partition(".")
    if name in RESULTS or (first == "maps" and rest):
        return ""
    if first == "ctx" and dot:
        fields = _context_fields()
        return "" if rest in fields else f"may_differ names {name!r}, which no context has{_near(rest, fields)}"
    return f"may_differ names {name!r}; expected {FORMS}."


def _context_fields() -> set[str]:
    from bpflab.abi.prog_types import ProgType
    from bpflab.contexts import context_layout

    return {each.name for kind in ProgType if (layout := context_layout(kind)) for each in layout.fields}


def _without_fields(data: bytes, prog_type: ProgType, names: frozenset[str]) -> bytes:
    from bpflab.contexts import context_layout

    layout, left = context_layout(prog_type), bytearray(data)
    for each in layout.fields if layout else ():
        if each.name in names:
            piece = slice(each.offset, min(each.end, len(left)))
            left[piece] = bytes(len(left[piece]))
    return bytes(left)


def _near(name: str, known: Iterable[str]) -> str:
    from bpflab.arguments import near_names

    return near_names(name, sorted(known))


def _listed(maps: Mapping[str, Any]) -> str:
    return ", ".join(sorted(maps)) or "none"
