"""The examples of the page on programs of cgroups work as they are written there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/cgroup-programs.md").read_text("utf-8")


@pytest.mark.parametrize(("number", "name", "tests"), [(0, "redirect", 3), (1, "policy", 3)])
def test_an_example_works_as_written(pytester: pytest.Pytester, number: int, name: str, tests: int) -> None:
    source = re.findall(r"```c\n(.*?)```", PAGE, re.DOTALL)[number]
    test = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[number]
    pytester.path.joinpath(f"{name}.bpf.c").write_text(source, encoding="utf-8")
    pytester.makepyfile(**{f"test_{name}": test})
    pytester.runpytest_inprocess("--import-mode=importlib", "--bpf=sim").assert_outcomes(passed=tests)
