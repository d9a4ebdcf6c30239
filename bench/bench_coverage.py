"""What coverage costs: loading the example firewall and running it, measured and not, on each backend.

    python bench/bench_coverage.py [--rounds 15]

A run is one packet through PROG_TEST_RUN; on the kernel the program's own time is told besides, of 10000 repetitions.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.coverage import Coverage

if TYPE_CHECKING:
    from bpflab.programs.program import Program

FIREWALL: Final = Path(__file__).parents[1] / "examples/xdp_firewall/firewall.bpf.o"
PACKET: Final = bytes(12) + bytes.fromhex("0800450000280000000040060000") + bytes(26)
RUNS: Final = 300


def load_seconds(lab: Lab) -> tuple[float, Program]:
    """Load the firewall and say how long that took."""
    begin = time.perf_counter()
    program = lab.load(FIREWALL).programs.firewall
    return time.perf_counter() - begin, program


def run_seconds(program: Program) -> float:
    """Return the mean time of a run."""
    begin = time.perf_counter()
    for _ in range(RUNS):
        program.run(PACKET)
    return (time.perf_counter() - begin) / RUNS


def measure(backend: str, *, covered: bool) -> tuple[float, float, float]:
    """Return the seconds of a load and a run, and the program's own nanoseconds."""
    with Lab(Coverage().watch(backend) if covered else backend) as lab:
        load, program = load_seconds(lab)
        run_seconds(program)
        own = program.run(PACKET, repeat=10_000).duration if backend == "kernel" else 0
        return load, run_seconds(program), own


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    rounds = options.parse_args().rounds
    for backend in ("sim",) if kernel_refusal() else ("kernel", "sim"):
        taken: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
        for _ in range(rounds):
            for covered, found in taken.items():
                found.append(measure(backend, covered=covered))
        for covered, found in taken.items():
            load, run, own = (min(column) for column in zip(*found, strict=True))
            print(
                f"{backend:7} {'covered' if covered else 'plain':8} load {1e3 * load:7.2f} ms   "
                f"run {1e6 * run:7.1f} us   program {own:5.0f} ns"
            )


if __name__ == "__main__":
    main()
