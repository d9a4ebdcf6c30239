"""Where the host's apt takes packages from: the only addresses that a guest is built from."""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.runner.process import run

if TYPE_CHECKING:
    from bpflab.runner.guests import Guest

_ETC: Final = Path("/etc/apt")
_PLACES: Final = re.compile(r'^Dir::Etc::(sourcelist|sourceparts) "(.*)";$')
_OLDER: Final = {"trixie": ("buster", "bullseye", "bookworm")}
"""Releases of Debian before one that a guest may need."""


def host_sources() -> str:
    """Give the host's package sources, as JSON of the content of each file by its name."""
    places = {found[1]: found[2] for line in host_configuration() if (found := _PLACES.match(line))}
    parts = _ETC / places.get("sourceparts", "sources.list.d")
    files = [_ETC / places.get("sourcelist", "sources.list")]
    files += sorted(path for suffix in ("list", "sources") for path in parts.glob(f"*.{suffix}"))
    readable = [path for path in files if path.is_file() and os.access(path, os.R_OK)]
    return json.dumps({path.name: path.read_text("utf-8", "replace") for path in readable})


def guest_sources(guest: Guest, sources: str, codename: str) -> str:
    """Give the host's sources for a guest: of a later release, where the host's (`codename`) lacks the architecture."""
    if codename not in _OLDER.get(guest.release, ()):
        return sources
    texts = json.loads(sources)
    return json.dumps({name: re.sub(rf"\b{codename}\b", guest.release, text) for name, text in texts.items()})


def host_codename() -> str:
    """Name the host's release, such as `bookworm`; empty if it does not say."""
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        return ""


def write_sources(directory: Path, sources: str) -> None:
    """Write sources as files that apt reads, in a directory `sources`."""
    (directory / "sources").mkdir(exist_ok=True)
    for name, text in json.loads(sources).items():
        (directory / "sources" / name).write_text(text, encoding="utf-8")


def host_configuration() -> list[str]:
    """Give the lines of the host's apt configuration; RunnerError where there is no apt."""
    return run(
        ["apt-config", "dump"],
        failing="Guests are built from Debian's or Ubuntu's packages by apt-get and dpkg-deb, on a host that has them",
    )
