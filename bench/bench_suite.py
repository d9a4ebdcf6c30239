"""What small packet tests cost beside empty ones: 1,000 of each, with a Lab that a module shares.

    python bench/bench_suite.py [--tests 1000] [--rounds 7] [--bpf kernel --bpf sim]

Each test runs one packet that is counted in a map, asserts on the verdict, and has its two maps back after it. The
aims: at most 1.5 times the empty tests on the kernel, at most 3 times on the simulator. Sessions of pytest are
started by turns and their CPU time is taken, after one of each that compiles the modules they import, as installing
does. The first ratio is of whole sessions, with what starting and importing cost; the second of what each further test
costs, found by sessions of one test.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_bpflab"]
AIMS = {"kernel": 1.5, "sim": 3.0}

EMPTY = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_empty(number):
    pass
"""
PACKETS = """
import pytest
from bpflab import XDP

FRAME = bytes(12) + b"\\x08\\x00" + bytes(46)
CODE = '''
    r6 = r1
    r1 = 0
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    r1 = map[name:counts]
    call map_lookup_elem
    if r0 == 0 goto out
    r1 = 1
    lock *(u64 *)(r0 + 0) += r1
    r1 = r6
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r2
    r4 += 14
    r0 = 1
    if r4 > r3 goto out
    r5 = *(u16 *)(r2 + 12)
    r0 = 2
    if r5 == 8 goto out
    r0 = 1
    out: exit
'''

@pytest.fixture(scope="module")
def program(bpf_module):
    bpf_module.map("array", value="u64", max_entries=4, name="counts")
    bpf_module.map("hash", key="u32", value="u64", max_entries=64, name="flows")
    return bpf_module.program(CODE, type="xdp", name="ipv4_only")

@pytest.mark.parametrize("number", range({tests}))
def test_packet(program, number):
    assert program.run(FRAME).action is XDP.PASS
"""


def by_turns(ways: dict[str, list[str]], directory: Path, rounds: int) -> dict[str, float]:
    """Run each command once in each round, and return the median of its CPU time in milliseconds."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for command in ways.values():
        cpu_milliseconds(command, directory)
    for _ in range(rounds):
        for name, command in ways.items():
            found[name].append(cpu_milliseconds(command, directory))
    return {name: statistics.median(times) for name, times in found.items()}


def cpu_milliseconds(command: list[str], directory: Path) -> float:
    """Run a command and return its CPU time, the system's share included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=directory, stdout=subprocess.DEVNULL, env=environment(directory))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def environment(directory: Path) -> dict[str, str]:
    """Return this process's environment, but with compiled modules kept, and without settings of pytest and bpflab."""
    left_out = ("PYTEST_", "BPFLAB_", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPYCACHEPREFIX": str(directory / "compiled")}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tests", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--bpf", action="append", choices=sorted(AIMS))
    given = options.parse_args()
    backends = given.bpf or sorted(AIMS)
    with tempfile.TemporaryDirectory(prefix="bpflab-bench-") as scratch:
        directory = Path(scratch)
        (directory / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        ways = {}
        for count in (1, given.tests):
            for name, text in {"empty": EMPTY, "packet": PACKETS}.items():
                (directory / f"test_{name}_{count}.py").write_text(text.format(tests=count), encoding="utf-8")
            ways[f"empty {count}"] = [*PYTEST, f"test_empty_{count}.py"]
            for backend in backends:
                ways[f"{backend} {count}"] = [*PYTEST, f"--bpf={backend}", f"test_packet_{count}.py"]
        taken = by_turns(ways, directory, given.rounds)
    print(f"{given.tests} empty tests              {taken[f'empty {given.tests}']:8.0f} ms")
    for backend in backends:
        tell(backend, given.tests, taken)


def tell(backend: str, tests: int, taken: dict[str, float]) -> None:
    """Print how the packet tests of a backend compare with the empty ones."""
    whole, empty = taken[f"{backend} {tests}"], taken[f"empty {tests}"]
    further = (whole - taken[f"{backend} 1"]) / (empty - taken["empty 1"])
    line = f"{tests} packet tests on {backend:8} {whole:8.0f} ms  {whole / empty:5.2f} times, aim {AIMS[backend]}"
    print(f"{line}; each further test {further:5.2f} times")


if __name__ == "__main__":
    main()
