"""Packages of any architecture from the mirror that the host is configured for, without root and without touching it.

apt-get gets a configuration of its own: the host's sources, keys and ways to the network, but another
architecture, no installed packages, and directories of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError
from bpflab.runner.process import run, telling
from bpflab.runner.progress import silent
from bpflab.runner.sources import host_configuration, write_sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bpflab.runner.progress import Progress

_UNREACHABLE: Final = "Packages could not be had from the mirror that this host's apt is configured for"
_CONFIGURATION: Final = """
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Debug::NoLocking "true";
Dir::Etc::main "{directory}/none";
Dir::Etc::parts "{directory}/empty";
Dir::Etc::sourcelist "{directory}/none";
Dir::Etc::sourceparts "{directory}/sources";
Dir::State "{directory}/state";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
Acquire::Languages "none";
"""
_NETWORK: Final = re.compile(r'^Acquire::(?!IndexTargets|Languages)[\w:.-]*\S* ".*";$')
"""Lines of the host's configuration that are kept: proxies, timeouts, certificates."""


class Apt:
    """apt-get for one architecture (by Debian's name) and text of sources, in a directory that it may fill."""

    def __init__(self, architecture: str, directory: Path, sources: str, progress: Progress = silent) -> None:
        self._sources = sources
        self._directory = directory
        self._progress = progress
        self._architecture = architecture
        self._warnings: list[str] = []

    def fetch(self, packages: Sequence[str], *, with_dependencies: bool = True) -> list[Path]:
        """Download packages, by default with their dependencies, and give the files; RunnerError says what failed."""
        self._configure()
        self._update()
        options = ("-y", "--download-only", "install") if with_dependencies else ("download",)
        self._progress(f"downloading {' and '.join(packages)}")
        archives = self._directory / "cache" / "archives"
        self._apt_get(*options, *packages)
        return sorted((archives if with_dependencies else self._directory).glob("*.deb"))

    def _update(self) -> None:
        """Read the package lists. Those of one source may fail: what the others have may be enough."""
        self._progress(f"reading the mirror's package lists for {self._architecture}")
        try:
            lines = self._apt_get("update")
        except RunnerError as error:
            lines = [line.strip() for line in str(error).splitlines()]
        self._warnings = [line for line in lines if line.startswith(("W:", "E:", "Err:"))]
        if self._warnings:
            self._progress(f"going on with what could be read, although apt says {self._warnings[0]!r}")

    def _configure(self) -> None:
        for name in ("state/lists/partial", "cache/archives/partial", "empty"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        (self._directory / "status").touch()
        write_sources(self._directory, self._sources)
        own = _CONFIGURATION.format(architecture=self._architecture, directory=self._directory)
        network = "\n".join(line for line in host_configuration() if _NETWORK.match(line))
        (self._directory / "apt.conf").write_text(f"{own}{network}\n", encoding="utf-8")

    def _apt_get(self, *arguments: str) -> list[str]:
        steps = _Steps(self._progress)
        environment = {"APT_CONFIG": str(self._directory / "apt.conf")}
        try:
            return run(
                ["apt-get", *arguments],
                failing=_UNREACHABLE,
                environment=environment,
                directory=self._directory,
                on_line=steps.hear,
            )
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


def unpack(package: Path, directory: Path) -> None:
    """Unpack the files of a package, running none of its scripts."""
    run(["dpkg-deb", "-x", str(package), str(directory)], failing=f"Package {package.name} could not be unpacked")
