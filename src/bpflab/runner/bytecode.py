"""Byte code for a guest.

It is the same on every architecture, so the host compiles it, at its own speed, for a guest with the host's version of
Python. A guest with another version keeps what it compiles at its first start in the cache.
"""

from __future__ import annotations

import compileall
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.runner.cache import Cache
    from bpflab.runner.guests import Guest
    from bpflab.runner.progress import Progress


def is_the_hosts(version: str) -> bool:
    """Whether the host's Python has a version (`major.minor`), and so its byte code."""
    return version == f"{sys.version_info.major}.{sys.version_info.minor}"


def compile_tree(directory: Path, version: str, progress: Progress) -> None:
    """Compile what lies below a directory, if the host's Python has the guest's version.

    A file that does not compile is left to the guest, as Python itself does.
    """
    if is_the_hosts(version):
        progress("compiling its modules")
        compileall.compile_dir(directory, quiet=2)


def bytecode_environment(cache: Cache, guest: Guest, version: str) -> dict[str, str]:
    """Give the variables that let a guest find byte code of its version, by the absolute names of sources.

    An empty PYTHONDONTWRITEBYTECODE counts as none: the sources' directories are not written to.
    """
    if is_the_hosts(version):
        return {}
    kept = cache.obtain("bytecode", guest.name, (version,), lambda _: {})
    return {"PYTHONPYCACHEPREFIX": str(kept.tree), "PYTHONDONTWRITEBYTECODE": ""}
