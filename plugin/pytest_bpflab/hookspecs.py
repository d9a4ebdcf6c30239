"""The hook that the plugin offers to other plugins and to conftest files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_bpflab.runs import Run


@pytest.hookspec
def pytest_bpf_run(item: pytest.Item, run: Run) -> None:
    """Hear of a run of a program, made through `bpf`, `bpf_module` or `bpf_session`, right after the backend answered.

    Runs are watched only where some plugin or conftest implements this hook; nothing is spent otherwise.
    """
