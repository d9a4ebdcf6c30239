"""Results as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from bpflab.bench.merge import by_test

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.bench.results import Measurement, Results

_RIGHT: Final = ("instructions", "to baseline", "spread")
_TIMES: Final = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_WHOLE: Final = 1000
"""From here on parts of an instruction are not shown."""


def table(results: Results, ratios: Mapping[tuple[str, str], float] | None = None) -> Table:
    """Lay out results by test and target; `ratios`, by test and target, are those to a baseline."""
    made = Table()
    made.add_column("benchmark", overflow="fold")
    made.add_column("on", no_wrap=True)
    for name in _RIGHT:
        made.add_column(name, justify="right", no_wrap=True)
    for test, found in by_test(results.measurements).items():
        for number, each in enumerate(found.values()):
            name = test.replace("[", r"\[") if number == 0 else ""
            made.add_row(name, each.target, figure(each), ratio((ratios or {}).get((test, each.target))), spread(each))
        made.add_section()
    return made


def figure(found: Measurement) -> str:
    """Write a value: instructions, or a time, with its unit and a mark as it is not deterministic."""
    if found.deterministic:
        return f"{found.value:,.0f}" if found.value >= _WHOLE else f"{found.value:.1f}"
    size, unit = next((each for each in _TIMES if found.value >= each[0]), _TIMES[-1])
    return f"~ {found.value / size:.3g} {unit}"


def ratio(value: float | None) -> str:
    """Write a ratio to the baseline with as many figures as tell 0.1 % from nothing."""
    return "-" if value is None else f"{value:.4f}"


def spread(found: Measurement) -> str:
    """Write the spread, and of how many runs it is if they were several."""
    return f"{found.spread:.3%}" + (f" of {found.runs}" if found.runs > 1 else "")
