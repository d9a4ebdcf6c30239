"""The example of the page on sockets works as it is written there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/sockets.md").read_text("utf-8")


def test_the_guard_works_as_written(pytester: pytest.Pytester) -> None:
    (source,) = re.findall(r"```c\n(.*?)```", PAGE, re.DOTALL)
    (test,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    pytester.path.joinpath("guard.bpf.c").write_text(source, encoding="utf-8")
    pytester.makepyfile(test_guard=test)
    pytester.runpytest_inprocess("--import-mode=importlib", "--bpf=sim").assert_outcomes(passed=3)
