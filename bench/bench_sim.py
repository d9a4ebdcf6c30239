"""How many packets a second go through programs on the simulated kernel, beside the running one.

    python bench/bench_sim.py [--rounds 9] [--count 200]

Each packet is one `run(bytes)`, the same call of the library on both. Where bpf(2) cannot be used, only the simulated
kernel is measured. Instructions are those that the interpreter counts for one packet.
"""

from __future__ import annotations

import argparse
import struct
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from c_baseline import by_turns

from bpflab import Lab
from bpflab.asm import add, exit_, jlt, label, mov, r0, r6
from bpflab.asm.count import count
from bpflab.backend.select import kernel_refusal
from bpflab.cli.demo import example_directory
from bpflab.sim.backend import SimBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.backend.base import Backend
    from bpflab.programs.program import Program

LOOKUPS = 32
IPV4 = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, bytes([192, 0, 2, 1]), bytes([198, 51, 100, 2]))
TCP = struct.pack("!HHIIBBHHH", 40000, 80, 0, 0, 0x50, 2, 8192, 0, 0)
PACKET = bytes.fromhex("020000000002 020000000001 0800") + IPV4 + TCP


def minimal(lab: Lab) -> Program:
    return lab.program([mov(r0, 2), exit_()], type="xdp")


def map_heavy(lab: Lab) -> Program:
    counts = lab.map("hash", key="u32", value="u64", max_entries=LOOKUPS, name="counts")
    counts.update_batch(dict.fromkeys(range(LOOKUPS), 0))
    loop = [label("next"), count("counts", r6), add(r6, 1), jlt(r6, LOOKUPS, "next")]
    return lab.program([mov(r6, 0), loop, mov(r0, 2), exit_()], type="xdp")


def firewall(lab: Lab) -> Program:
    loaded = lab.load(example_directory() / "firewall.bpf.c")
    loaded.maps.blocked_ports[23] = 1
    return loaded.programs.firewall


PROGRAMS: Mapping[str, Callable[[Lab], Program]] = {
    "minimal: return XDP_PASS": minimal,
    f"map-heavy: {LOOKUPS} hash map lookups and atomic adds": map_heavy,
    "the firewall example: a TCP packet passes": firewall,
}


def timer(program: Program, runs: int) -> Callable[[], float]:
    """Return what measures one `run()`, in nanoseconds of CPU time."""

    def measure() -> float:
        run = program.run
        start = time.thread_time_ns()
        for _ in range(runs):
            run(PACKET)
        return (time.thread_time_ns() - start) / runs

    return measure


def row(title: str, labs: Mapping[str, Lab], simulated: SimBackend, rounds: int, runs: int) -> str:
    programs = {name: PROGRAMS[title](lab) for name, lab in labs.items()}
    verdicts = {program.run(PACKET).action for program in programs.values()}
    if len(verdicts) != 1:
        raise AssertionError(f"{title}: the verdicts differ: {verdicts}")
    steps = simulated.kernel.last_run_steps
    taken = by_turns({name: timer(program, runs) for name, program in programs.items()}, rounds)
    kernel = f"{1e9 / taken['kernel']:,.0f}" if "kernel" in taken else "-"
    return f"| {title} | {kernel} | {1e9 / taken['sim']:,.0f} | {taken['sim'] / 1e3:,.0f} | {steps:,} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--count", type=int, default=200)
    given = options.parse_args()
    simulated = SimBackend()
    backends: dict[str, str | Backend] = {"sim": simulated}
    if not kernel_refusal():
        backends = {"kernel": "kernel", **backends}
    print("| program | kernel, packets/s | sim, packets/s | sim, µs a packet | instructions |\n|---|---|---|---|---|")
    with ExitStack() as stack:
        labs = {name: stack.enter_context(Lab(backend)) for name, backend in backends.items()}
        for title in PROGRAMS:
            print(row(title, labs, simulated, given.rounds, given.count), flush=True)


if __name__ == "__main__":
    main()
