"""The files of a guest: a Python and the libraries it needs, unpacked from packages."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError
from bpflab.runner.apt import Apt, unpack
from bpflab.runner.bytecode import compile_tree
from bpflab.runner.progress import silent
from bpflab.runner.repair import repair, trim
from bpflab.runner.sources import guest_sources, host_codename, host_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.runner.cache import Cache, Entry
    from bpflab.runner.guests import Guest
    from bpflab.runner.progress import Progress

PACKAGES: Final = ("python3", "libstdc++6")
"""What is asked for: a Python, and the C++ library that compiled wheels need. The rest are dependencies."""
_RECIPE: Final = "2"
"""Counts changes to what a sysroot holds; an entry of another recipe is not taken."""


def sysroot(cache: Cache, guest: Guest, progress: Progress = silent) -> Entry:
    """Find or build a guest's files; facts are `python`, its path within, `version` and `glibc`, both `major.minor`."""
    sources = guest_sources(guest, host_sources(), host_codename())

    def build(tree: Path) -> Mapping[str, str]:
        with tempfile.TemporaryDirectory(dir=tree.parent) as work:
            packages = Apt(guest.debian, Path(work), sources, progress).fetch(PACKAGES)
            for done, package in enumerate(packages, 1):
                progress("unpacking", done, len(packages))
                unpack(package, tree)
        trim(tree)
        repair(tree)
        facts = _facts(tree, [package.name for package in packages])
        compile_tree(tree / "usr" / "lib", facts["version"], progress)
        return facts

    return cache.obtain("sysroot", guest.name, (_RECIPE, guest.debian, *PACKAGES, sources), build, progress)


def _facts(tree: Path, packages: list[str]) -> dict[str, str]:
    pythons = sorted(tree.glob("usr/bin/python3.*[0-9]"))
    glibc = next((found[1] for name in packages if (found := re.match(r"libc6_(\d+\.\d+)", name))), None)
    if not pythons or glibc is None:
        raise RunnerError(
            f"The mirror's packages hold no Python or no libc6; they were {', '.join(packages) or 'none'}."
        )
    python = pythons[-1]
    return {"python": str(python.relative_to(tree)), "version": python.name.removeprefix("python"), "glibc": glibc}
