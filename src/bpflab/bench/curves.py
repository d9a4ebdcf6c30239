"""What can be drawn of results: for each benchmark its figures by target, and its growth with each size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bpflab.bench.results import Measurement

_POINTS: Final = 3
"""From so many sizes on there is a curve."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A benchmark's figures in one unit: for each parameter set a bar on each target, None where there is none."""

    title: str
    unit: str
    targets: tuple[str, ...]
    bars: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class Curves:
    """How a benchmark's figure grows with a parameter: for each target the points (size, figure), by size."""

    title: str
    unit: str
    size: str
    lines: Mapping[str, tuple[tuple[float, float], ...]]


def bars(measured: Iterable[Measurement]) -> list[Bars]:
    """Gather the figures of each benchmark function, those of different units apart."""
    made = []
    for (function, unit), found in _grouped(measured, lambda each: (each.function, each.unit)):
        names = tuple(dict.fromkeys(each.target for each in found))
        sets = dict.fromkeys(_parameters(each) for each in found)
        values = {(_parameters(each), each.target): each.value for each in found}
        made.append(
            Bars(function, unit, names, {key: tuple(values.get((key, name)) for name in names) for key in sets})
        )
    return made


def curves(measured: Iterable[Measurement]) -> list[Curves]:
    """Find each parameter of a benchmark that is a number and has at least three values, all others being equal."""
    made = []
    for (function, unit), found in _grouped(measured, lambda each: (each.function, each.unit)):
        for size in _numbers(found):
            made += _along(function, unit, size, found)
    return made


def _along(function: str, unit: str, size: str, found: Sequence[Measurement]) -> list[Curves]:
    made = []
    for (others,), some in _grouped(found, lambda each: (_others(each, size),)):
        lines = {
            target: tuple(sorted((float(each.params[size]), each.value) for each in points))
            for (target,), points in _grouped(some, lambda each: (each.target,))
        }
        lines = {target: points for target, points in lines.items() if len({x for x, _ in points}) >= _POINTS}
        if lines:
            made.append(Curves(f"{function} {others}".strip(), unit, size, lines))
    return made


def _numbers(found: Sequence[Measurement]) -> list[str]:
    names = dict.fromkeys(name for each in found for name in each.params)
    return [name for name in names if all(_is_number(each.params.get(name)) for each in found)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _others(found: Measurement, size: str) -> str:
    return ", ".join(f"{name}={value}" for name, value in found.params.items() if name != size)


def _parameters(found: Measurement) -> str:
    return found.test.partition("[")[2].removesuffix("]")


def _grouped(
    measured: Iterable[Measurement],
    key: Any,  # noqa: ANN401 - any function of a measurement to a tuple of words
) -> Iterable[tuple[tuple[str, ...], list[Measurement]]]:
    groups: dict[tuple[str, ...], list[Measurement]] = {}
    for each in measured:
        groups.setdefault(key(each), []).append(each)
    return groups.items()
