"""Byte code for a guest, compiled by the host: it is the same on every architecture, and emulation is slow."""

from __future__ import annotations

import compileall
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.runner.progress import Progress


def compile_tree(directory: Path, version: str, progress: Progress) -> None:
    """Compile what lies below a directory, if the host's Python has the guest's version (`major.minor`).

    A file that does not compile is left to the guest, as Python itself does.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        progress("compiling its modules")
        compileall.compile_dir(directory, quiet=2)
