"""A Lab counts the runs of its programs."""

from __future__ import annotations

import pytest

from bpflab import Lab
from bpflab.abi.prog_types import ProgType
from bpflab.programs.tally import MOST, Tally

TWO = "r0 = 2\nexit"


def test_every_way_to_run_a_program_is_counted_once(bpf: Lab) -> None:
    program = bpf.program(TWO, name="two")
    program.run(bytes(14))
    program.run(bytearray(14), repeat=5)
    program.run_many([bytes(14), bytes(3990), bytes(20)])
    (tally,) = bpf.tallies
    assert (tally.name, tally.type, tally.runs, tally.retvals) == ("two", ProgType.XDP, 5, {2: 5})


@pytest.mark.bpf(backend="sim")
def test_a_simulated_kernel_counts_instructions(bpf: Lab) -> None:
    program = bpf.program(TWO, name="two")
    program.run(bytes(14))
    program.run(bytes(14), repeat=4)
    program.run_many([bytes(14), bytes(3990)])
    assert [tally.instructions for tally in bpf.tallies] == [8]


def test_programs_of_one_name_are_counted_together_and_after_they_are_closed(bpf: Lab) -> None:
    for _ in range(2):
        program = bpf.program(TWO, name="two")
        program.run(bytes(14))
        program.close()
    assert [tally.runs for tally in bpf.tallies] == [2]


def test_return_values_without_end_are_told_apart_up_to_a_bound() -> None:
    tally = Tally("hash", ProgType.XDP)
    for retval in range(1000):
        tally.meet(retval)
    assert tally.runs == 1000
    assert tally.retvals[Tally.OTHER] == 1000 - MOST
