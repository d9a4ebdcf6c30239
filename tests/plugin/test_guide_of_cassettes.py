from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="the guide shows what a little-endian machine records")
PAGE = (Path(__file__).parents[2] / "docs/cassettes.md").read_text("utf-8")


@pytest.fixture
def guided(pytester: pytest.Pytester) -> pytest.Pytester:
    """The page's test, recorded on the simulator."""
    found = re.search(r"```python\n# test_counter.py\n(.*?)```", PAGE, re.DOTALL)
    assert found
    pytester.makeconftest("")
    pytester.makepyfile(test_counter=found[1])
    pytester.runpytest_inprocess("--bpf=sim", "--bpf-record").assert_outcomes(passed=1)
    return pytester


def test_the_example_of_the_guide_is_recorded_as_shown_and_replayed(guided: pytest.Pytester) -> None:
    shown = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert shown
    assert shown[1] in (guided.path / "cassettes/test_counter/test_passes_and_counts.toml").read_text()
    guided.runpytest_inprocess("--bpf=replay").assert_outcomes(passed=1)


def test_the_error_of_the_guide_is_what_is_said(guided: pytest.Pytester) -> None:
    source = guided.path / "test_counter.py"
    source.write_text(source.read_text().replace("41", "42"))
    told = " ".join(" ".join(guided.runpytest_inprocess("--bpf=replay").outlines).split())
    shown = " ".join(PAGE.partition("    ReplayError:")[2].partition("\n\n")[0].split())
    assert f"ReplayError: {shown}" in told
