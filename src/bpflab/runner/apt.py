"""Packages of any architecture from the mirror that the host is configured for, without root and without touching it.

apt-get gets a configuration of its own: the host's sources, keys and ways to the network, but another
architecture, no installed packages, and directories of its own.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError
from bpflab.runner.process import run, telling
from bpflab.runner.progress import silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.runner.progress import Progress

_UNREACHABLE: Final = "Packages could not be had from the mirror that this host's apt is configured for"
_CONFIGURATION: Final = """
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Debug::NoLocking "true";
Dir::Etc::main "none";
Dir::Etc::parts "none";
Dir::State "{directory}/state";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
Acquire::Languages "none";
"""
_NETWORK: Final = re.compile(r'^Acquire::(?!IndexTargets|Languages)[\w:.-]*\S* ".*";$')
"""Lines of the host's configuration that are kept: proxies, timeouts, certificates."""
_SOURCES: Final = re.compile(r'^Dir::Etc::(sourcelist|sourceparts) "(.*)";$')


class Apt:
    """apt-get for one architecture (by Debian's name), working in a directory that it may fill."""

    def __init__(self, architecture: str, directory: Path, progress: Progress = silent) -> None:
        self._directory = directory
        self._progress = progress
        self._architecture = architecture
        self._warnings: list[str] = []

    def fetch(self, packages: Sequence[str], *, with_dependencies: bool = True) -> list[Path]:
        """Download packages, by default with their dependencies, and give the files; RunnerError says what failed."""
        self._configure()
        self._progress(f"reading the mirror's package lists for {self._architecture}")
        self._warnings = [line for line in self._apt_get("update") if line.startswith(("W:", "E:", "Err:"))]
        options = ("-y", "--download-only", "install") if with_dependencies else ("download",)
        self._progress(f"downloading {' and '.join(packages)}")
        archives = self._directory / "cache" / "archives"
        self._apt_get(*options, *packages)
        return sorted((archives if with_dependencies else self._directory).glob("*.deb"))

    def _configure(self) -> None:
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        (self._directory / "status").touch()
        own = _CONFIGURATION.format(architecture=self._architecture, directory=self._directory)
        network = "\n".join(line for line in _host_configuration() if _NETWORK.match(line))
        (self._directory / "apt.conf").write_text(f"{own}{network}\n", encoding="utf-8")

    def _apt_get(self, *arguments: str) -> list[str]:
        steps = _Steps(self._progress)
        command = ["env", "-C", str(self._directory), "apt-get", *arguments]
        environment = {"APT_CONFIG": str(self._directory / "apt.conf")}
        try:
            return run(command, failing=_UNREACHABLE, environment=environment, on_line=steps.hear)
        except RunnerError as error:
            if not self._warnings:
                raise
            raise RunnerError(
                f"{error}\nThe package lists could not be read before:\n{telling(self._warnings)}"
            ) from error


class _Steps:
    """Counts the packages that apt-get tells of."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._total = 0

    def hear(self, line: str) -> None:
        if found := re.search(r"(\d+) newly installed", line):
            self._total = int(found[1])
        elif self._total and (got := re.match(r"Get:(\d+) ", line)):
            self._progress("downloading", int(got[1]), self._total)


def host_sources() -> str:
    """Give the text of the host's package sources, which says where an entry came from."""
    places = {found[1]: found[2] for line in _host_configuration() if (found := _SOURCES.match(line))}
    base = Path("/etc/apt")
    files = [base / places.get("sourcelist", "sources.list")]
    parts = base / places.get("sourceparts", "sources.list.d")
    files += sorted(path for suffix in ("list", "sources") for path in parts.glob(f"*.{suffix}"))
    return "\n".join(path.read_text("utf-8", "replace") for path in files if os.access(path, os.R_OK))


def _host_configuration() -> list[str]:
    return run(
        ["apt-config", "dump"],
        failing="Guests are built from Debian's or Ubuntu's packages by apt-get and dpkg-deb, on a host that has them",
    )


def unpack(package: Path, directory: Path) -> None:
    """Unpack the files of a package, running none of its scripts."""
    run(["dpkg-deb", "-x", str(package), str(directory)], failing=f"Package {package.name} could not be unpacked")
