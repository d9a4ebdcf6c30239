from __future__ import annotations

import re
import shutil
import sys
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


@pytest.mark.skipif(sys.byteorder == "big", reason="forgetting bpf_ntohs is no mistake here")
@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_report_of_the_forgotten_byte_order_is_as_written(page: str, pytester: pytest.Pytester) -> None:
    excerpt = re.search(
        r"((?:    .*\n)*    -+ the way it took -+\n(?:    .*\n)+)", (CHECKOUT / page).read_text("utf-8")
    )
    (source,), (test, _) = blocks("docs/quickstart.md", "c"), blocks("docs/quickstart.md", "python")
    wrong = source.replace("bpf_ntohs(udp->dest)", "udp->dest")
    pytester.path.joinpath("drop_port.bpf.c").write_text(wrong, encoding="utf-8")
    pytester.makepyfile(test_drop_port=test)
    result = pytester.runpytest_inprocess("--import-mode=importlib", "--bpf=sim")
    assert excerpt
    result.stdout.fnmatch_lines([re.sub(r"\[", "[[]", line[4:]) for line in excerpt[1].splitlines()])


def test_the_first_test_of_the_readme_works_as_written(pytester: pytest.Pytester) -> None:
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    (test,) = re.findall(r"## A first test\n\n((?:    .*\n|\n)+)", readme)
    for path in example_directory().glob("firewall.*"):
        shutil.copy(path, pytester.path)
    pytester.makepyfile(test_readme=test)
    pytester.runpytest_inprocess("--import-mode=importlib").assert_outcomes(passed=1)


PAGES = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for place in (".", "docs", "docs/adr", "examples/xdp_firewall")
    for path in CHECKOUT.joinpath(place).glob("*.md")
)


def links(page: str) -> list[tuple[str, str]]:
    """Return the relative links of a page: the path, and the anchor behind it."""
    text = re.sub(r"```.*?```", "", (CHECKOUT / page).read_text("utf-8"), flags=re.DOTALL)
    return [(path, anchor) for path, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)", text)]


def anchors(page: Path) -> set[str]:
    """Return what a link can lead to on a page: its headings, as sites for Markdown name them, and its ids."""
    text = page.read_text("utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings} | set(
        re.findall(r'id="(.+?)"', text)
    )


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_to_a_file_and_a_heading_that_are_there(page: str) -> None:
    here = CHECKOUT / page
    targets = {(path, anchor): here.parent / path if path else here for path, anchor in links(page)}
    assert [link for link, target in targets.items() if not target.exists()] == []
    assert [link for link, target in targets.items() if link[1] and link[1] not in anchors(target)] == []


def test_every_page_of_the_documentation_is_on_its_index() -> None:
    listed = {path for path, _ in links("docs/index.md")} | {"index.md"}
    assert {path.name for path in CHECKOUT.glob("docs/*.md")} - listed == set()


def run_examples(page: str, pytester: pytest.Pytester) -> pytest.ExitCode | int:
    """Run a page's examples as one script, in their order."""
    return pytester.runpython(pytester.makepyfile("\n".join(blocks(page, "python")))).ret


def test_the_examples_of_attaching_work_in_their_order(pytester: pytest.Pytester) -> None:
    assert run_examples("docs/attach.md", pytester) == 0


@pytest.mark.usefixtures("kernel_types")
def test_the_examples_of_kernel_objects_work_in_their_order(pytester: pytest.Pytester) -> None:
    assert run_examples("docs/kernel-objects.md", pytester) == 0
