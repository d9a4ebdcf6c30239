"""The page of what the simulated kernel runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpflab import Lab, VerifierError
from bpflab.abi.helpers import Helper, all_helpers
from bpflab.abi.prog_types import ProgType
from bpflab.asm import call, exit_, mov, r1, r2, r3, r4, r5
from bpflab.sim.coverage_page import page
from bpflab.sim.helpers import find_helper

MISSING = [row for row in all_helpers() if ProgType.SCHED_CLS in row.programs and find_helper(row.name) is None]
PAGE = Path(__file__).parents[2] / "docs" / "simulated.md"


def test_the_page_in_the_documentation_says_what_the_simulated_kernel_runs() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m bpflab.sim.coverage_page > docs/simulated.md"


@pytest.mark.parametrize("row", MISSING, ids=lambda row: row.name)
def test_a_helper_that_the_page_leaves_out_is_refused_by_its_name(row: Helper) -> None:
    with Lab("sim") as lab, pytest.raises(VerifierError, match=f"cannot use helper bpf_{row.name}#"):
        lab.program([*(mov(reg, 0) for reg in (r1, r2, r3, r4, r5)), call(row.id), exit_()], type="sched_cls")
