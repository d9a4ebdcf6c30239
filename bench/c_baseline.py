"""What C takes for the same thing, in the same run.

A benchmark compiles its baseline in `bench/baseline/` and measures both ways by turns, so that a busy machine
slows both. Ratios and differences are worth reading, absolute times less so.
"""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BASELINE = Path(__file__).parent / "baseline"


def build(name: str) -> ctypes.CDLL:
    """Compile `baseline/NAME.c` with the C compiler there is, and load it."""
    with tempfile.TemporaryDirectory(prefix="bpflab-bench-") as scratch:
        library = Path(scratch) / f"{name}.so"
        command = [*compiler(), "-O2", "-shared", "-fPIC", "-o", str(library), str(BASELINE / f"{name}.c")]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(library), use_errno=True)


def compiler() -> list[str]:
    """Name a C compiler: the system's, or the one inside the package ziglang."""
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise SystemExit('No C compiler was found for the baseline: install gcc, or pip install "bpflab[clang]".')


def by_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Measure each way once a round, by turns; the median of each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            taken[name].append(measure())
    return {name: statistics.median(values) for name, values in taken.items()}


def report(title: str, medians: Mapping[str, float], baseline: str = "C") -> None:
    """Print nanoseconds, the ratio to the baseline, and the difference."""
    base = medians[baseline]
    print(f"{title}\n{'':28}{'ns':>9}{'ratio':>8}{'above C':>10}")
    for name, value in medians.items():
        print(f"  {name:26}{value:9.0f}{value / base:8.2f}{value - base:10.0f}")
