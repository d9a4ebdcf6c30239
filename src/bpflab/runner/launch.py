"""The command and environment that start a guest Python."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.architectures import current
from bpflab.runner.bytecode import bytecode_environment
from bpflab.runner.packages import guest_packages, own_packages
from bpflab.runner.progress import silent
from bpflab.runner.qemu import emulator
from bpflab.runner.sysroot import sysroot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bpflab.runner.cache import Cache
    from bpflab.runner.guests import Guest
    from bpflab.runner.progress import Progress

_OF_THE_HOST: Final = ("LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONEXECUTABLE")
"""Variables that name files of the host's architecture or Python."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A program that behaves like `python`: put Python's arguments after `command`.

    `sysroot` has the guest's files; None on the host's own architecture.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    sysroot: Path | None = None

    def with_environment(self, extra: Mapping[str, str]) -> Launch:
        """Give the same with more variables."""
        return replace(self, environment={**self.environment, **extra})

    def as_shell(self, arguments: Sequence[str] = ()) -> str:
        """Write it as a command for a shell, with the variables that differ from this process's."""
        changed = [f"{name}={value}" for name, value in self.environment.items() if os.environ.get(name) != value]
        gone = [word for name in os.environ if name not in self.environment for word in ("-u", name)]
        return shlex.join(["env", *gone, *changed, *self.command, *arguments])

    def become(self, arguments: Sequence[str]) -> None:
        """Replace this process by the guest, so that signals, standard streams and exit code are its own."""
        os.execve(self.command[0], [*self.command, *arguments], dict(self.environment))


def prepare(cache: Cache, guest: Guest, requirements: Sequence[str] = (), progress: Progress = silent) -> Launch:
    """Have everything ready for a guest; on the host's own architecture that is this very Python.

    `requirements` are packages that the guest has besides bpflab's own needs. They need wheels for it.
    """
    if guest.name == current().name:
        return Launch((sys.executable,), dict(os.environ))
    qemu = emulator(cache, guest, progress)
    system = sysroot(cache, guest, progress)
    packages = guest_packages(cache, guest, system.facts, requirements, progress)
    paths = [str(packages.tree), str(own_packages(cache).tree)]
    command = (str(qemu), "-L", str(system.tree), str(system.tree / system.facts["python"]))
    environment = guest_environment(os.environ, paths)
    return Launch(command, {**environment, **bytecode_environment(cache, guest, system.facts["version"])}, system.tree)


def guest_environment(host: Mapping[str, str], paths: Sequence[str]) -> dict[str, str]:
    """Give a guest the host's environment, without what names the host's files, and its packages before PYTHONPATH."""
    kept = {name: value for name, value in host.items() if name not in _OF_THE_HOST}
    own = [path for path in host.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {**kept, "PYTHONPATH": os.pathsep.join([*paths, *own]), "PYTHONNOUSERSITE": "1"}
