"""The page of helpers in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpflab.abi.helpers import Helper, all_helpers, table
from bpflab.abi.helpers_page import page

PAGE = Path(__file__).parents[2] / "docs" / "helpers.md"


def test_the_page_in_the_documentation_is_what_the_table_makes_of_it() -> None:
    assert PAGE.read_text("utf-8") == page(table()), "run: python -m bpflab.abi.helpers_page > docs/helpers.md"


@pytest.mark.parametrize("row", all_helpers(), ids=lambda row: row.name)
def test_a_helper_has_an_entry_under_an_anchor_that_the_contents_lead_to(row: Helper) -> None:
    text = page(table())
    assert text.count(f"[{row.name}](#bpf_{row.name})") == text.count(f'<a id="bpf_{row.name}"></a>') == 1
