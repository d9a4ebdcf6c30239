"""A refused program is explained by the verifier's own words."""

from __future__ import annotations

import pytest

from bpflab import Lab
from bpflab.asm import W, exit_, jne, ldx, mov, r0, r1, r2
from bpflab.programs.verifier import VerifierError, VerifierStats, parse_stats, useful_lines

LOG = """0: R1=ctx() R10=fp0
0: (b7) r0 = 2
1: (95) exit

verification time 120 usec
stack depth 8+16
processed 2 insns (limit 1000000) max_states_per_insn 1 total_states 3 peak_states 4 mark_read 0
"""


def test_the_error_shows_the_offending_instruction_and_keeps_the_whole_log(bpf: Lab) -> None:
    with pytest.raises(VerifierError, match="R2 !read_ok") as caught:
        bpf.program([mov(r0, r2), exit_()], type="xdp", name="unset")
    assert caught.value.failure.name == "EACCES"
    assert "r0 = r2" in caught.value.log


def test_a_log_longer_than_the_first_buffer_is_read_whole(bpf: Lab) -> None:
    insns = [mov(r0, 1), *[mov(r1, 1)] * 1900, ldx(W, r0, r1, 0), exit_()]
    with pytest.raises(VerifierError) as caught:
        bpf.program(insns, type="xdp")
    assert caught.value.log.count("r1 = 1") >= 1900
    assert caught.value.left_out > 1800


def test_an_endless_loop_is_refused(bpf: Lab) -> None:
    with pytest.raises(VerifierError):
        bpf.program([mov(r0, 0), jne(r0, 1, -2), exit_()], type="xdp")


def test_statistics_are_read_from_a_log() -> None:
    assert parse_stats(LOG) == VerifierStats(2, 1, 3, 4, (8, 16), 120)


def test_statistics_and_empty_lines_are_not_useful_lines() -> None:
    assert [line.partition(":")[0] for line in useful_lines(LOG)] == ["0", "0", "1"]
