"""Programs count their runs while somebody asked for statistics, and not otherwise."""

from __future__ import annotations

from bpflab import Lab
from bpflab.abi.commands import Command
from bpflab.asm import exit_, mov, r0


def test_runs_are_counted_while_statistics_are_on(bpf: Lab) -> None:
    program = bpf.program([mov(r0, 2), exit_()], type="xdp")
    program.run(bytes(64))
    switch = bpf.call(Command.ENABLE_STATS, type=0).result
    program.run(bytes(64), repeat=3)
    counted = program.info.run_count
    bpf.backend.close(switch)
    program.run(bytes(64))
    assert (counted, program.info.run_count) == (3, 3)
