"""The reference page of the plugin is what the code says, and the examples of the plugin's pages pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_bpflab.reference_examples import EXAMPLES
from pytest_bpflab.reference_page import fixtures, page

CHECKOUT = Path(__file__).parents[2]
REGENERATE = "python -m pytest_bpflab.reference_page > docs/plugin-reference.md"


def test_the_reference_page_is_what_the_code_says() -> None:
    assert (CHECKOUT / "docs/plugin-reference.md").read_text("utf-8") == page().rstrip("\n") + "\n", REGENERATE


def test_every_fixture_has_an_example() -> None:
    assert set(fixtures()) == set(EXAMPLES)


def test_the_examples_of_the_fixtures_pass(pytester: pytest.Pytester, bpf_backend: str) -> None:
    pytester.makepyfile(**{f"test_{name}": code for name, code in EXAMPLES.items()})
    result = pytester.runpytest_inprocess(f"--bpf={bpf_backend}", "--import-mode=importlib")
    result.assert_outcomes(passed=sum(code.count("def test_") for code in EXAMPLES.values()) + 2)  # one has three cases


def test_the_examples_of_the_page_on_suites_pass(pytester: pytest.Pytester, bpf_backend: str) -> None:
    text = (CHECKOUT / "docs/suites.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    pytester.makepyfile(**{f"test_block_{number}": code for number, code in enumerate(blocks)})
    result = pytester.runpytest_inprocess(f"--bpf={bpf_backend}", "--import-mode=importlib")
    result.assert_outcomes(passed=sum(code.count("def test_") for code in blocks) + 2)
