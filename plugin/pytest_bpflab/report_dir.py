"""The report directory: what a failing test leaves to be looked at, in a directory of its own for each test.

Nothing is created before something is written. The workers of pytest-xdist may write at the same time.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import Final

import pytest

DEFAULT: Final = ".bpflab-report"
LONGEST_NAME: Final = 120
"""Characters of a directory's name; file systems take 255 bytes."""
_UNFIT: Final = re.compile(r"[^\w.,=+\[\]-]+")
_OWN: Final = pytest.StashKey[Path]()


def add_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the option, and the ini setting of the same meaning."""
    group.addoption(
        "--bpf-report-dir",
        default=None,
        dest="bpf_report_dir",
        metavar="DIR",
        help=f"where failing tests leave their traces and packets, a directory for each test (default: {DEFAULT} in "
        "the root directory of the session)",
    )
    parser.addini(
        "bpf_report_dir", "where failing tests leave their traces and packets, as --bpf-report-dir", default=""
    )


def report_root(config: pytest.Config) -> Path:
    """Return the report directory; a relative one of the option counts from where pytest was started."""
    asked = config.getoption("bpf_report_dir")
    if asked:
        return Path(config.invocation_params.dir, asked)
    return Path(config.rootpath, config.getini("bpf_report_dir") or DEFAULT)


def report_dir(item: pytest.Item) -> Path:
    """Return the test's own directory, made at the first call, and emptied of what an earlier session left there.

    OSError where it cannot be made; `write_report` says that in words instead.
    """
    if _OWN not in item.stash:
        root = report_root(item.config)
        made = root / directory_name(item.nodeid)
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True, exist_ok=True)
        _keep_out_of_git(root)
        item.stash[_OWN] = made
    return item.stash[_OWN]


def write_report(item: pytest.Item, name: str, content: str | bytes) -> str:
    """Write a file of the test's directory; return its path as shown to people, or why there is none, in words."""
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    try:
        path = report_dir(item) / name
        path.write_bytes(data)
    except OSError as error:
        return f"({name} could not be written to {report_root(item.config)}: {error.strerror})"
    return shown(item.config, path)


def shown(config: pytest.Config, path: Path) -> str:
    """Return a path as people read it best: from where pytest was started, if it lies there."""
    start = config.invocation_params.dir
    return str(path.relative_to(start) if path.is_relative_to(start) else path)


def directory_name(nodeid: str) -> str:
    """Make a directory's name of a test's: readable, and with a sum of the whole where something was left out."""
    file, _, test = nodeid.partition("::")
    joined = f"{file.replace('/', '.')}-{test.replace('::', '-')}"
    plain = _UNFIT.sub("_", joined)
    if plain == joined and len(plain) <= LONGEST_NAME:
        return plain
    return f"{plain[:LONGEST_NAME]}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}"


def _keep_out_of_git(root: Path) -> None:
    ignore = root / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")
