"""The list of an entry's files, by which a damaged one is told from a whole one in a moment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LINK: Final = -1
"""Stands for the length of a symbolic link."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Facts that the builder tells, and every file's length in bytes by path; files that come later do not count."""

    facts: Mapping[str, str]
    files: Mapping[str, int]

    @classmethod
    def of(cls, tree: Path, facts: Mapping[str, str]) -> Manifest:
        """List a tree as it is."""
        return cls(facts, dict(_files(tree)))

    @classmethod
    def whole(cls, file: Path, tree: Path) -> Manifest | None:
        """Read a manifest; None if there is none that can be read, or the tree lacks something of it."""
        try:
            content = json.loads(file.read_bytes())
            manifest = cls(content["facts"], content["files"])
            intact = all(_length(f"{tree}/{path}") == length for path, length in manifest.files.items())
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return manifest if intact else None

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)


def _files(tree: Path) -> Iterator[tuple[str, int]]:
    for parent, folders, files in os.walk(tree):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in (*links, *files):
            path = os.path.join(parent, name)  # noqa: PTH118 - thousands of files, and Path is slow
            yield os.path.relpath(path, tree), _length(path)


def _length(path: str) -> int:
    found = os.lstat(path)
    return _LINK if (found.st_mode & 0o170000) == 0o120000 else found.st_size
