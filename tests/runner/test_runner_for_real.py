"""A guest of another architecture, really built and run. It downloads some 60 MB: `tox -e arch` asks for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    os.environ.get("BPFLAB_GUESTS") != "1", reason="$BPFLAB_GUESTS is not 1: guests are downloaded only when asked for"
)
PROGRAM = '''
import sys
from bpflab import XDP, Lab

CODE = """
    r6 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r2 = r6
    r2 += 14
    if r2 > r3 goto drop
    r7 = *(u16 *)(r6 + 12)
    *(u32 *)(r10 - 4) = 1
    r2 = r10
    r2 += -4
    r1 = seen ll
    call bpf_map_lookup_elem
    if r0 == 0 goto drop
    *(u64 *)(r0 + 0) = r7
    r0 = 2
    exit
drop:
    r0 = 1
    exit
"""
with Lab("sim") as lab:
    seen = lab.map("array", key="u32", value="u64", max_entries=2, name="seen")
    program = lab.program(CODE, type="xdp")
    assert program.run(bytes(12) + bytes([8, 6]) + bytes(46)).action is XDP.PASS
    print(sys.byteorder, hex(seen[1]))
sys.exit(7)
'''


@pytest.mark.parametrize(("name", "order", "seen"), [("arm64", "little", "0x608"), ("s390x", "big", "0x806")])
def test_a_program_reads_its_packet_in_the_byte_order_of_the_guest(name: str, order: str, seen: str) -> None:
    command = [sys.executable, "-m", "bpflab.cli", "python", "--arch", name, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"{order} {seen}\n", 7), done.stderr


def test_a_guest_starts_further_pythons_of_its_own_kind() -> None:
    start = "import platform, subprocess, sys; print(platform.machine(), flush=True); "
    code = f"{start}sys.exit(subprocess.run([sys.executable, '-c', {start!r}]).returncode)"
    command = [sys.executable, "-m", "bpflab", "python", "--binfmt", "--arch", "s390x", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("s390x\ns390x\n", 0), done.stderr
