"""The examples of docs/maps.md do what the page says, on each backend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpflab.lab import Lab

PAGE = Path(__file__).parents[2] / "docs" / "maps.md"


def test_the_examples_of_the_page_on_maps_run_one_after_the_other(bpf: Lab) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {"lab": bpf}
    for block in blocks:
        exec(compile(block, "<maps.md>", "exec"), names)  # a path would have hypothesis read the page as Python
    assert names["again"].closed is False
