"""A comparison of a map with what it should hold: what is missing, what is too much, what is otherwise."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 60
"""Characters of a dict that the first line shows."""


def explain(op: str, left: object, right: object, *, of_map: bool = False) -> list[str] | None:
    """Explain why a map is not equal to what it should hold; None for other values.

    `of_map` says that dicts are what maps held, too: those of a test that uses one.
    """
    if op != "==" or not isinstance(left, Mapping) or not isinstance(right, Mapping):
        return None
    maps = [each for each in (left, right) if _is_map(each)]
    if not maps and not of_map:
        return None
    title = f"{_label(left)} == {_label(right)}"
    return [title, *_differences(dict(left), dict(right))]


def _differences(found: dict[Any, Any], expected: dict[Any, Any]) -> Iterator[str]:
    parts = {
        "missing": [(key, f"expected {shown(value)}") for key, value in expected.items() if key not in found],
        "too much": [(key, shown(value)) for key, value in found.items() if key not in expected],
        "different": [
            (key, f"{shown(value)}, expected {shown(expected[key])}")
            for key, value in found.items()
            if key in expected and value != expected[key]
        ],
    }
    same = sum(key in expected and value == expected[key] for key, value in found.items())
    counts = [f"{len(entries)} {what}" for what, entries in parts.items() if entries]
    yield f"Of {len(found)} entries {same} are as expected; {', '.join(counts) or 'only their order differs'}."
    for what, entries in parts.items():
        yield from (f"{what}: {shown(key)}: {told}" for key, told in sorted(entries, key=lambda entry: repr(entry[0])))


def shown(value: object) -> str:
    """Show a key or value: bytes in hexadecimal, addresses as they are written."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex(" ") or "no bytes"
    return str(value) if type(value).__module__ == "ipaddress" else repr(value)


def _label(value: Mapping[Any, Any]) -> str:
    if not _is_map(value):
        whole = repr(dict(value))
        return whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}..."
    shape: Any = value
    return str(shape.shape.label)


def _is_map(value: object) -> bool:
    base = sys.modules.get("bpflab.maps.handle")
    return base is not None and isinstance(value, base.MapHandle)
