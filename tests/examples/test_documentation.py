from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bpflab.cli.demo import example_directory

CHECKOUT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """Return the code of a page's fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", (CHECKOUT / page).read_text("utf-8"), re.DOTALL)


def test_the_quick_start_works_as_written(pytester: pytest.Pytester) -> None:
    (source,) = blocks("docs/quickstart.md", "c")
    test, script = blocks("docs/quickstart.md", "python")
    pytester.path.joinpath("drop_port.bpf.c").write_text(source, encoding="utf-8")
    pytester.makepyfile(test_drop_port=test, script=script)
    pytester.runpytest_inprocess("--import-mode=importlib").assert_outcomes(passed=6)
    assert pytester.runpython(pytester.path / "script.py").outlines == ["PASS"]


def test_the_first_test_of_the_readme_works_as_written(pytester: pytest.Pytester) -> None:
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    (test,) = re.findall(r"## A first test\n\n((?:    .*\n|\n)+)", readme)
    for path in example_directory().glob("firewall.*"):
        shutil.copy(path, pytester.path)
    pytester.makepyfile(test_readme=test)
    pytester.runpytest_inprocess("--import-mode=importlib").assert_outcomes(passed=1)


@pytest.mark.parametrize("page", [path.relative_to(CHECKOUT).as_posix() for path in CHECKOUT.glob("docs/*.md")])
def test_links_of_the_documentation_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (CHECKOUT / page).read_text("utf-8"))
    assert [target for target in targets if not (CHECKOUT / page).parent.joinpath(target).exists()] == []


def test_links_of_the_readme_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (CHECKOUT / "README.md").read_text("utf-8"))
    assert [target for target in targets if not CHECKOUT.joinpath(target).exists()] == []
