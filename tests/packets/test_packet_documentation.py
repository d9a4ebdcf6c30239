from __future__ import annotations

import re
from pathlib import Path

import pytest

from bpflab_packets import builders

PAGE = (Path(__file__).parents[2] / "docs/packets.md").read_text("utf-8")


def test_the_examples_of_the_page_work_and_print_what_they_say(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    exec(compile(code, "docs/packets.md", "exec"), {"__name__": "page"})
    (shown,) = re.findall(r"```text\n(.*?)\.\.\.\n```", PAGE, re.DOTALL)
    assert capsys.readouterr().out.startswith(shown)


def test_the_page_names_every_family() -> None:
    assert [family for family in builders.FAMILIES if f"`{family}`" not in PAGE] == []
