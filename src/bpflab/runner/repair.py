"""What packages unpacked without their scripts lack: the links of a merged /usr, and links that stay inside."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MERGED: Final = ("bin", "lib", "lib32", "lib64", "sbin")
"""Directories of the root that a merged /usr has as links; newer packages rely on them."""
UNREAD: Final = ("doc", "info", "locale", "man")
"""Directories of usr/share that no program of a guest needs."""


def repair(root: Path) -> None:
    """Make an unpacked tree usable at any place: merge what packages expect merged, make absolute links relative."""
    for name in MERGED:
        if (root / "usr" / name).is_dir() and not os.path.lexists(root / name):
            (root / name).symlink_to(Path("usr") / name)
    for link in list(_links(root)):
        target = link.readlink()
        if target.is_absolute():
            link.unlink()
            link.symlink_to(os.path.relpath(f"{root}{target}", link.parent))


def trim(root: Path) -> None:
    """Remove pages and translations."""
    for name in UNREAD:
        shutil.rmtree(root / "usr" / "share" / name, ignore_errors=True)


def _links(root: Path) -> Iterator[Path]:
    for directory, folders, files in os.walk(root):
        yield from (path for name in (*folders, *files) if (path := Path(directory, name)).is_symlink())
