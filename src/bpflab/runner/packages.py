"""Python packages for a guest: wheels of its architecture by pip, and bpflab itself by links."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError
from bpflab.runner.bytecode import is_the_hosts
from bpflab.runner.process import run
from bpflab.runner.progress import silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpflab.runner.cache import Cache, Entry
    from bpflab.runner.guests import Guest
    from bpflab.runner.progress import Progress

OWN: Final = ("bpflab", "pytest_bpflab", "bpflab_packets")
"""The packages of this distribution, which a guest takes from the host: they are the same everywhere."""
COMPILER: Final = "ziglang"
"""The package with a C compiler for BPF. A guest takes it from the host, where it is installed: emulation hands a
program of the host's own architecture to the host's kernel, so it runs at full speed."""
_OLDEST_GLIBC: Final = 17


def guest_packages(
    cache: Cache, guest: Guest, system: Mapping[str, str], requirements: Sequence[str] = (), progress: Progress = silent
) -> Entry:
    """Find or install what bpflab needs and `requirements` (as pip takes them), for the system that facts describe."""
    wanted = sorted({*own_requirements(), *requirements})

    def build(tree: Path) -> Mapping[str, str]:
        progress(f"installing Python packages for {guest.name}")
        command = [*pip(), "install", "--quiet", "--target", str(tree), "--only-binary=:all:"]
        command += ["--no-warn-conflicts", "--implementation", "cp", "--python-version", system["version"]]
        command += [f"--platform={tag}" for tag in wheel_tags(guest, system["glibc"])]
        command += [] if is_the_hosts(system["version"]) else ["--no-compile"]
        run([*command, *wanted], failing=f"Python packages for {guest.name} could not be installed")
        return {"requirements": " ".join(wanted)}

    key = (guest.wheel, system["version"], system["glibc"], *wanted)
    return cache.obtain("packages", guest.name, key, build, progress)


def wheel_tags(guest: Guest, glibc: str) -> list[str]:
    """List the platform tags of the wheels that a guest can take, the newest C library first (PEP 600)."""
    newest = int(glibc.split(".")[1])
    return [f"manylinux_2_{minor}_{guest.wheel}" for minor in range(newest, _OLDEST_GLIBC - 1, -1)] + [
        f"manylinux2014_{guest.wheel}"
    ]


def own_requirements() -> list[str]:
    """List what the installed bpflab says it needs, without its extras."""
    return [text for text in importlib.metadata.requires("bpflab") or () if "extra ==" not in text]


def pip() -> list[str]:
    """Find pip: the module of this Python, else a command; RunnerError if there is none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if command := shutil.which("pip3") or shutil.which("pip"):
        return [command]
    raise RunnerError(f"pip is needed to install a guest's packages: {sys.executable} -m ensurepip gives it.")


def own_packages(cache: Cache) -> Entry:
    """Find or make a directory with links to bpflab's packages and to its metadata, which names the pytest plugin."""
    targets = {**_package_directories(), **_metadata_directory()}

    def build(tree: Path) -> Mapping[str, str]:
        for name, target in targets.items():
            (tree / name).symlink_to(target)
        return {}

    return cache.obtain("own", "bpflab", tuple(map(str, targets.values())), build)


def _package_directories() -> dict[str, Path]:
    specs = {name: importlib.util.find_spec(name) for name in (*OWN, COMPILER)}
    return {name: Path(spec.origin).parent for name, spec in specs.items() if spec is not None and spec.origin}


def _metadata_directory() -> dict[str, Path]:
    found = importlib.metadata.distribution("bpflab").locate_file("")
    name = f"bpflab-{importlib.metadata.version('bpflab')}.dist-info"
    directory = Path(str(found)) / name
    return {name: directory} if directory.is_dir() else {}
