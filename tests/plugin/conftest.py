from __future__ import annotations

import hypothesis.strategies  # noqa: F401 - its pytest plugin imports it again for each inner session otherwise
import pytest

import pytest_bpflab.lab
import pytest_bpflab.watch  # noqa: F401 - as above

XDP_PASS = "bytes.fromhex('b7000000020000009500000000000000')"
"""r0 = XDP_PASS; exit"""


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the outer session was asked for away from the inner ones."""
    monkeypatch.delenv("BPFLAB_REQUIRE_KERNEL", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory whose tests can use bpflab and `PASS`, the instructions of a program that returns XDP_PASS."""
    pytester.makeconftest("")
    pytester.makepyfile(programs=f"PASS = {XDP_PASS}")
    pytester.syspathinsert()
    return pytester
