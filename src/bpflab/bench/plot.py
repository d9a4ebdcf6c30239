"""Results as pictures, SVG and PNG, by matplotlib: bars by target, and curves by size."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from bpflab.bench.curves import bars, curves
from bpflab.errors import BenchError

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.bench.curves import Bars, Curves
    from bpflab.bench.results import Results

FORMATS: Final = ("svg", "png")
_SETTINGS: Final = {"svg.hashsalt": "bpflab", "font.size": 9}
"""The names within an SVG are the same in every run."""
_GROUP: Final = 0.8
"""How much of the room of a target its bars take."""
_LEGEND: Final = 12
"""So many names a legend can have."""


def need_matplotlib() -> None:
    """Raise BenchError, which says how to install it, where matplotlib is not."""
    if find_spec("matplotlib") is None:
        raise BenchError('Plots need matplotlib: pip install "bpflab[plot]".')


def draw(results: Results, directory: Path) -> list[Path]:
    """Draw each benchmark by target, and each that has sizes along them; gives the files."""
    need_matplotlib()
    import matplotlib as mpl

    files: list[Path] = []
    directory.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_SETTINGS):
        for each in bars(results.measurements):
            files += _save(_figure_of_bars(each), directory / file_name(each.title, each.unit))
        for curve in curves(results.measurements):
            files += _save(_figure_of_curves(curve), directory / file_name(curve.title, "by", curve.size, curve.unit))
    return files


def file_name(*words: str) -> str:
    """Make a file name without ending of words."""
    return re.sub(r"[^\w.-]+", "-", " ".join(words)).strip("-")


def _figure_of_bars(found: Bars) -> Any:  # noqa: ANN401 - matplotlib is optional
    figure, axes = _figure(found.title, found.unit)
    width = _GROUP / len(found.bars)
    for number, (name, values) in enumerate(found.bars.items()):
        offset = (number + 0.5) * width - _GROUP / 2
        places = [place + offset for place in range(len(values))]
        axes.bar(places, [value or 0.0 for value in values], width, label=name or None)
    axes.set_xticks(range(len(found.targets)), found.targets)
    if 1 < len(found.bars) <= _LEGEND:
        axes.legend()
    return figure


def _figure_of_curves(found: Curves) -> Any:  # noqa: ANN401 - matplotlib is optional
    figure, axes = _figure(found.title, found.unit)
    for target, points in found.lines.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=target)
    if all(x > 0 for points in found.lines.values() for x, _ in points):
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xlabel(found.size)
    axes.legend()
    return figure


def _figure(title: str, unit: str) -> tuple[Any, Any]:
    """Make a figure of its own, which no window or global list knows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.set_ylabel(f"{unit} a call")
    axes.grid(visible=True, axis="y", alpha=0.3)
    return figure, axes


def _save(figure: Any, stem: Path) -> list[Path]:  # noqa: ANN401 - matplotlib is optional
    files = [stem.with_name(f"{stem.name}.{kind}") for kind in FORMATS]
    for file in files:
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    return files
