"""Sessions that examples start are asked for nothing that the outer session was."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the outer session was asked for away from the inner ones."""
    monkeypatch.delenv("BPFLAB_REQUIRE_KERNEL", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
