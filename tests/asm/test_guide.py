"""The examples of the guide run, and print what stands below them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "assembler.md"
BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.DOTALL)


def test_every_example_prints_what_stands_below_it() -> None:
    blocks = BLOCK.findall(GUIDE.read_text("utf-8"))
    names: dict[str, object] = {}
    shown, printed = [], []
    for kind, text in blocks:
        if kind == "text":
            shown.append(text)
            continue
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(text, str(GUIDE), "exec"), names)
        printed.append(output.getvalue())
    assert [text for text in printed if text] == shown
    assert len(shown) >= 8
