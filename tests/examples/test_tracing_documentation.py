"""The guide to tracing works as written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/tracing.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.usefixtures("kernel_types")
def test_the_examples_of_the_guide_to_tracing_pass(pytester: pytest.Pytester) -> None:
    for name, source in zip(("tcp_latency", "policy", "server"), blocks("c"), strict=True):
        pytester.path.joinpath(f"{name}.bpf.c").write_text(source, encoding="utf-8")
    latency, secrets, failures = blocks("python")
    pytester.makepyfile(test_latency=latency, test_secrets=secrets, test_failures=failures)
    pytester.runpytest_inprocess("--import-mode=importlib", "--bpf=sim").assert_outcomes(passed=7)
