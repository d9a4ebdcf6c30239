from __future__ import annotations

from pathlib import Path

import pytest


def test_the_example_of_the_guide_passes(suite: pytest.Pytester, bpf_backend: str) -> None:
    guide = (Path(__file__).parents[2] / "docs/faults.md").read_text("utf-8")
    example = guide.split("```python\n")[1].split("```")[0]
    suite.makepyfile(f"import pytest\nfrom bpflab.errors import MapFullError\n\n{example}")
    suite.runpytest_inprocess(f"--bpf={bpf_backend}").assert_outcomes(passed=1)
