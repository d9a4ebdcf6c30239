"""Compiled objects on disk, found again by the content of everything that went into them.

Which headers a source includes is known only when it has been compiled, so a look-up takes two steps: the
source, the flags and the compiler name a list of recipes, and a recipe fits if each header it names still has
the content it had. Files appear by rename, so that processes that run at once see whole ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VARIABLE: Final = "BPFLAB_CACHE_DIR"
_RECIPES_KEPT: Final = 16
"""Recipes of one source and set of flags: states of its headers that are remembered."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A compilation: the hash of each header by path, the object's file, and the compiler's warnings."""

    headers: dict[str, str]
    object: str
    warnings: str

    def fits(self) -> bool:
        """Say whether every header still has the content it had, and the object is still there."""
        return Path(self.object).is_file() and all(digest(path) == seen for path, seen in self.headers.items())


class CompileCache:
    """A directory of objects and recipes; `key` below is what names the source, flags and compiler."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or default_directory()

    def find(self, key: str) -> Recipe | None:
        """Find a recipe that still fits."""
        return next((recipe for recipe in self._recipes(key) if recipe.fits()), None)

    def store(self, key: str, name: str, content: bytes, headers: Iterable[str], warnings: str) -> Recipe:
        """Keep an object under a file name of its own directory; CompileError if the cache cannot be written."""
        seen = {path: digest(path) for path in headers}
        place = self.directory / "objects" / fingerprint(key, json.dumps(seen, sort_keys=True)) / name
        recipe = Recipe(seen, str(place), warnings)
        kept = [recipe, *(each for each in self._recipes(key) if each.headers != seen)][:_RECIPES_KEPT]
        try:
            write_whole(place, content)
            write_whole(self._recipe_file(key), json.dumps([asdict(each) for each in kept]).encode())
        except OSError as problem:
            raise CompileError(
                f"the compile cache {self.directory} cannot be written: {problem.strerror or problem}. "
                f"Set ${VARIABLE} to a directory that can."
            ) from problem
        return recipe

    def _recipe_file(self, key: str) -> Path:
        return self.directory / "recipes" / f"{key}.json"

    def _recipes(self, key: str) -> Iterator[Recipe]:
        """Read the recipes of a key; a file that is not what this version writes counts as none."""
        try:
            yield from [Recipe(**each) for each in json.loads(self._recipe_file(key).read_bytes())]
        except (OSError, ValueError, TypeError):
            return


def default_directory() -> Path:
    """Give $BPFLAB_CACHE_DIR, else `bpflab` in the user's directory for caches."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bpflab"
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "bpflab"


def fingerprint(*parts: str) -> str:
    """Hash texts, each apart from the next."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def digest(path: str | Path) -> str:
    """Hash a file's content; empty if it cannot be read, which no content hashes to."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that others see it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
