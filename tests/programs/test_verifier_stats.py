"""What the verifier did with a program is known, kept and compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.errors import ArgumentError, ProgramError
from bpflab.programs.complexity import from_json, merged, read_baseline, regressions, to_json
from bpflab.programs.verifier import VerifierStats

BRANCHES = "r0 = *(u32 *)(r1 + 16)\nif r0 > 3 goto +1\nr0 = 1\nr0 = 2\nexit"
counts = st.integers(1, 1 << 20)
stats = st.builds(
    VerifierStats, counts, counts, counts, counts, st.lists(st.integers(0, 512), max_size=3).map(tuple), counts
)


def test_a_program_tells_how_many_instructions_were_looked_at(bpf: Lab) -> None:
    straight = bpf.program("r0 = 1\nr0 = 2\nexit", name="straight").verifier_stats
    branches = bpf.program(BRANCHES, name="branches").verifier_stats
    assert straight.insns == 3 < branches.insns


def test_a_closed_program_cannot_tell(bpf: Lab) -> None:
    program = bpf.program("r0 = 2\nexit", name="gone")
    bpf.close()
    with pytest.raises(ProgramError, match="not known"):
        _ = program.verifier_stats


@given(st.dictionaries(st.text("abc", min_size=1), stats))
def test_statistics_come_back_from_json(given_: dict[str, VerifierStats]) -> None:
    assert from_json(to_json(given_, kernel="6.18"), "here") == given_


@given(before=stats, grown=st.floats(1, 3), limit=st.floats(0, 200))
def test_only_what_grew_by_more_than_the_limit_is_a_regression(
    before: VerifierStats, grown: float, limit: float
) -> None:
    now = replace(before, insns=int(before.insns * grown), microseconds=before.microseconds * 9)
    found = regressions({"p": now}, {"p": before}, limit)
    assert bool(found) == (100 * (now.insns - before.insns) / before.insns > limit)
    assert all(each.figure == "insns" for each in found)


def test_programs_that_are_new_or_gone_are_no_regressions() -> None:
    one = VerifierStats(1, 1, 1, 1)
    assert not regressions({"new": one}, {"gone": one}, 0)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), stats), max_size=4))
def test_of_several_loads_the_dearest_is_kept(loads: list[dict[str, VerifierStats]]) -> None:
    for name, kept in merged(loads).items():
        assert kept.insns == max(load[name].insns for load in loads if name in load)


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2}', '{"version": 1, "programs": {"p": {}}}'])
def test_a_file_that_is_no_baseline_is_refused_in_words(tmp_path: Path, content: str) -> None:
    file = tmp_path / "base.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"base\.json"):
        read_baseline(file)


def test_a_baseline_that_is_not_there_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="--bpf-verifier-json"):
        read_baseline(tmp_path / "none.json")
