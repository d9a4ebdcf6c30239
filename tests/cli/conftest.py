from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from bpflab.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


@pytest.fixture
def bpflab() -> Callable[..., Result]:
    """Return what calls the command with arguments, and gives its exit code and output."""
    return lambda *arguments: CliRunner().invoke(main, [str(each) for each in arguments], env={"COLUMNS": "160"})
