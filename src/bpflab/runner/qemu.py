"""qemu-user: the host's own, or the distribution's package unpacked into the cache."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.abi.architectures import current
from bpflab.errors import RunnerError
from bpflab.runner.apt import Apt, unpack
from bpflab.runner.guests import GUESTS
from bpflab.runner.progress import silent
from bpflab.runner.sources import host_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.runner.cache import Cache
    from bpflab.runner.guests import Guest
    from bpflab.runner.progress import Progress

PACKAGES: Final = ("qemu-user-static", "qemu-user")
"""Packages that hold it without need of libraries: the first up to Debian 12, the second after it."""


def emulator(cache: Cache, guest: Guest, progress: Progress = silent) -> Path:
    """Find the program that runs a guest's programs; RunnerError says how to install it if it cannot be fetched."""
    installed = shutil.which(f"qemu-{guest.qemu}") or shutil.which(f"qemu-{guest.qemu}-static")
    return Path(installed) if installed else _fetched(cache, guest, progress)


def _fetched(cache: Cache, guest: Guest, progress: Progress) -> Path:
    host = GUESTS[current().name]
    sources = host_sources()

    def build(tree: Path) -> Mapping[str, str]:
        for package in PACKAGES:
            with tempfile.TemporaryDirectory(dir=tree.parent) as work:
                for file in Apt(host.debian, Path(work), sources, progress).fetch([package], with_dependencies=False):
                    unpack(file, tree)
            if found := sorted(tree.glob(f"usr/bin/qemu-{guest.qemu}*")):
                _keep_only(tree, found[0])
                return {"program": found[0].name}
        raise RunnerError(f"No package of {' or '.join(PACKAGES)} holds qemu-{guest.qemu}.")

    try:
        entry = cache.obtain("qemu", guest.name, (host.debian, guest.qemu, sources), build, progress)
    except RunnerError as error:
        raise RunnerError(
            f"qemu-{guest.qemu} is not installed, and fetching it failed. Install qemu-user. {error}"
        ) from error
    return entry.tree / entry.facts["program"]


def _keep_only(tree: Path, program: Path) -> None:
    """Keep one program: the package holds those of all architectures, hundreds of megabytes."""
    kept = program.rename(tree.parent / program.name)
    shutil.rmtree(tree)
    tree.mkdir()
    kept.rename(tree / program.name)
