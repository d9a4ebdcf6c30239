"""The example of docs/coverage.md prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


def test_the_example_prints_the_table_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text("utf-8")
    source, printed = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)[0] for kind in ("python", "text"))
    exec(compile(source, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == printed
