"""The programs and packets that are run, the same on every backend."""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import TYPE_CHECKING, Final

import pytest
from c_baseline import build, compiler, libbpf, missing

from bpflab.asm import add, exit_, jlt, label, mov, r0, r6
from bpflab.asm.count import count
from bpflab.cli.demo import example_directory
from bpflab.errors import BpfError

if TYPE_CHECKING:
    from measure import Turn, Work

    from bpflab import Lab
    from bpflab.programs.program import Program

IPV4: Final = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, bytes([192, 0, 2, 1]), bytes([198, 51, 100, 2]))
TCP: Final = struct.pack("!HHIIBBHHH", 40000, 80, 0, 0, 0x50, 2, 8192, 0, 0)
PACKET: Final = bytes.fromhex("020000000002 020000000001 0800") + IPV4 + TCP
PASS: Final = 2
LOOKUPS: Final = 32
ROOM: Final = 4096
"""Bytes for what comes out of a run in C."""


def minimal(lab: Lab) -> Program:
    """Load a program that returns XDP_PASS."""
    return lab.program([mov(r0, PASS), exit_()], type="xdp")


def map_heavy(lab: Lab) -> Program:
    """Load a program of 32 hash map lookups and atomic adds."""
    counts = lab.map("hash", key="u32", value="u64", max_entries=LOOKUPS, name="counts")
    counts.update_batch(dict.fromkeys(range(LOOKUPS), 0))
    loop = [label("next"), count("counts", r6), add(r6, 1), jlt(r6, LOOKUPS, "next")]
    return lab.program([mov(r6, 0), loop, mov(r0, PASS), exit_()], type="xdp")


def firewall(lab: Lab) -> Program:
    """Load the firewall example, or skip the benchmark where it cannot be compiled."""
    try:
        loaded = lab.load(example_directory() / "firewall.bpf.c")
    except BpfError as error:
        pytest.skip(f"the firewall example cannot be loaded here: {error}")
    loaded.maps.blocked_ports[23] = 1
    program = loaded.programs.firewall
    if sys.byteorder == "big" and program.run(PACKET).retval != PASS:
        pytest.skip("the firewall example was compiled here with headers of the other byte order")
    return program


PROGRAMS: Final = {"minimal": minimal, "map_heavy": map_heavy, "firewall": firewall}


def straight(lab: Lab, length: int) -> Program:
    """Load a program of that many instructions in a straight line."""
    return lab.program([mov(r0, 0), *[add(r0, 0)] * (length - 3), mov(r0, PASS), exit_()], type="xdp")


def in_c(
    program: Program, count: int, packet: bytes = PACKET, context: bytes = b"", repeat: int = 1
) -> dict[str, Work | Turn]:
    """Return the same runs by libbpf, and by system calls alone, where there is a kernel and a compiler."""
    if program.lab.backend.name != "kernel":
        return {}
    data, out = ctypes.create_string_buffer(packet, len(packet)), ctypes.create_string_buffer(ROOM)
    start = (program.fileno(), data, len(packet), out, ROOM)
    ways: dict[str, Work | Turn] = {}
    if not missing():
        run = libbpf().program_run
        ways["libbpf"] = lambda: run(*start, context or None, len(context), repeat, ctypes.c_long(count))
    if compiler() and not context and repeat == 1:
        least = build("run").run
        ways["syscall"] = lambda: least(*start, ctypes.c_long(count))
    return ways
