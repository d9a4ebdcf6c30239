"""What `program.run(bytes)` costs above the C call that does the same.

    python bench/bench_run.py [--rounds 31] [--count 5000]

The aim: at most 2,000 ns above C. Measured are a program that only returns, and the firewall example.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from typing import TYPE_CHECKING

from c_baseline import build, by_turns, report

from bpflab import Lab
from bpflab.cli.demo import example_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.programs.program import Program

PASS = bytes.fromhex("b7000000020000009500000000000000")
PACKET = bytes.fromhex("020000000002020000000001080045000028000100004006") + bytes(40)
ROOM = 4096


def in_c(program: Program, count: int) -> Callable[[], float]:
    """Return what measures one run in C, in nanoseconds of CPU time."""
    library = build("run")
    library.run.restype = ctypes.c_double
    packet, out = ctypes.create_string_buffer(PACKET, len(PACKET)), ctypes.create_string_buffer(ROOM)
    arguments = (program.fileno(), packet, len(PACKET), out, ROOM, ctypes.c_long(count))
    return lambda: float(library.run(*arguments))


def in_python(program: Program, count: int, packet: object = PACKET) -> Callable[[], float]:
    """Return what measures one `run()`, the loop around it taken off."""

    def measure() -> float:
        run = program.run
        start = time.thread_time_ns()
        for _ in range(count):
            run(packet)
        ran = time.thread_time_ns()
        for _ in range(count):
            pass
        return (2 * ran - start - time.thread_time_ns()) / count

    return measure


def measure(title: str, program: Program, rounds: int, count: int) -> None:
    """Measure a program by turns, and print how the ways compare."""
    ways = {
        "C": in_c(program, count),
        "run(bytes)": in_python(program, count),
        "run(bytearray)": in_python(program, count, bytearray(PACKET)),
    }
    report(title, by_turns(ways, rounds))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=31)
    options.add_argument("--count", type=int, default=5000)
    given = options.parse_args()
    with Lab("kernel") as lab:
        measure("a program that returns XDP_PASS", lab.program(PASS, type="xdp"), given.rounds, given.count)
        firewall = lab.load(example_directory() / "firewall.bpf.c").programs.firewall
        measure("the firewall example", firewall, given.rounds, given.count)


if __name__ == "__main__":
    main()
