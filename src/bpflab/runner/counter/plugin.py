"""The plugin that counts, compiled on first use by the host's C compiler, or by ziglang's."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.abi.architectures import current
from bpflab.errors import RunnerError
from bpflab.runner.process import run
from bpflab.runner.progress import silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.runner.cache import Cache
    from bpflab.runner.progress import Progress

SOURCE: Final = Path(__file__).with_name("count.c")
INTERFACES: Final = (1, 2)
"""Versions of qemu's plugin interface that the source knows: up to qemu 8, and from 9 on."""
_FLAGS: Final = ("-O2", "-fPIC", "-shared")
_COMMANDS: Final = ("cc", "gcc", "clang")


def compiled(cache: Cache, interface: int, progress: Progress = silent) -> Path:
    """Find or compile the plugin for an interface; RunnerError if there is no compiler, or says what it said."""

    def build(tree: Path) -> Mapping[str, str]:
        progress("compiling the instruction counter")
        output = ("-o", str(tree / "count.so"))
        run(
            [*compiler(), *_FLAGS, f"-DVERSION={interface}", *output, str(SOURCE)],
            failing="The instruction counter could not be compiled",
        )
        return {}

    host = current().name
    key = (SOURCE.read_text("utf-8"), *_FLAGS, str(interface))
    return cache.obtain("counter", host, key, build, progress).tree / "count.so"


def compiler() -> list[str]:
    """Find a C compiler: $CC, a common name, or the Python package ziglang; RunnerError if there is none."""
    if named := shlex.split(os.environ.get("CC", "")):
        return named
    if found := next(filter(None, map(shutil.which, _COMMANDS)), None):
        return [found]
    if find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    raise RunnerError(
        f"The instruction counter needs a C compiler, and there is no {', '.join(_COMMANDS)} on the PATH. "
        'Install gcc, or pip install "bpflab[clang]".'
    )
