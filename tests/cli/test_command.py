from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import bpflab as package
from bpflab.cli import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

HEAVY = ("scapy", "rich", "pytest", "elftools", "hypothesis")


def test_the_version_is_the_packages(bpflab: Callable[..., Result]) -> None:
    assert bpflab("--version").output == f"bpflab {package.__version__}\n"


def test_help_lists_every_command(bpflab: Callable[..., Result]) -> None:
    output = bpflab("--help").output
    assert [name for name in COMMANDS if name not in output] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(bpflab: Callable[..., Result], name: str) -> None:
    result = bpflab(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


def test_an_unknown_command_is_refused(bpflab: Callable[..., Result]) -> None:
    result = bpflab("ran")
    assert result.exit_code == 2
    assert "No such command 'ran'" in result.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom bpflab.cli import main\nmain(['--help'], standalone_mode=False)\n"
        f"sys.exit(' '.join(name for name in {HEAVY!r} if name in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
