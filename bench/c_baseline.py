"""What C takes for the same thing, in the same run.

The sources in `bench/baseline/` are compiled by the C compiler there is when a benchmark first needs them.
`libbpf` goes through that library, `syscall` does the least that can be done with system calls alone.
"""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BASELINE = Path(__file__).parent / "baseline"


@lru_cache(maxsize=4)
def build(name: str, *libraries: str) -> ctypes.CDLL:
    """Compile `baseline/NAME.c` with the C compiler there is, and load it."""
    with tempfile.TemporaryDirectory(prefix="bpflab-bench-") as scratch:
        library = Path(scratch) / f"{name}.so"
        source = [str(BASELINE / f"{name}.c"), *(f"-l{each}" for each in libraries)]
        command = [compiler(), "-O2", "-Wall", "-shared", "-fPIC", "-o", str(library), *source]
        subprocess.run(command, check=True, capture_output=True)
        return ctypes.CDLL(str(library), use_errno=True)


def libbpf() -> ctypes.CDLL:
    """Load the baseline on libbpf."""
    return build("libbpf", "bpf")


@lru_cache(maxsize=1)
def missing() -> str:
    """Return why there is no baseline on libbpf, or nothing."""
    if not compiler():
        return "the baseline on libbpf needs a C compiler: install gcc"
    try:
        libbpf()
    except (OSError, subprocess.CalledProcessError):
        return "the baseline on libbpf needs its headers: install libbpf-dev"
    return ""


def compiler() -> str:
    """Name the host's C compiler; nothing where there is none."""
    return next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), "")


def by_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Measure each way once a round, by turns; the median of each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            taken[name].append(measure())
    return {name: statistics.median(values) for name, values in taken.items()}
