"""The examples of docs/events.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bpflab.backend.select import kernel_refusal

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_examples_run_one_after_the_other() -> None:
    if refusal := kernel_refusal():
        pytest.skip(refusal)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["lab"].closed
