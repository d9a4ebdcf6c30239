"""Where the sources are that a compiler named in an object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class SourceFiles:
    """Finds sources: a name that is not absolute is looked for in `directories`, which may grow.

    Files under `base` are named relative to it, so that results of several checkouts go together.
    """

    def __init__(self, base: Path | None = None, directories: Iterable[Path] = ()) -> None:
        self.base = (base or Path.cwd()).resolve()
        self.directories = [self.base, *directories]
        self._found: dict[str, str] = {}

    def add(self, directory: Path) -> None:
        """Look in one more directory."""
        if directory not in self.directories:
            self.directories.append(directory)
            self._found.clear()

    def find(self, name: str) -> str:
        """Return a file's path, relative to `base` where it lies under it; the name itself when it is nowhere."""
        if name not in self._found:
            self._found[name] = self._find(Path(name))
        return self._found[name]

    def _find(self, path: Path) -> str:
        found = next((place for place in self._places(path) if place.is_file()), path)
        return str(relative(found.resolve() if found.is_absolute() else found, self.base))

    def _places(self, path: Path) -> Iterable[Path]:
        return [path] if path.is_absolute() else [directory / path for directory in reversed(self.directories)]


def relative(path: Path, base: Path) -> Path:
    """Return a path relative to a directory that it lies under, else as it is."""
    return path.relative_to(base) if path.is_relative_to(base) else path
