"""What the runner builds, kept on disk: whole or not at all, one builder at a time, never removed under its user.

An entry is a directory named by its architecture and by a hash of what it is built from. It is built under a
temporary name and renamed. Its lock is shared while somebody uses the entry, and exclusive while it is built or
removed; the kernel drops a lock when its process ends, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from bpflab.errors import RunnerError
from bpflab.obj.compile_cache import VARIABLE, default_directory, fingerprint
from bpflab.runner.manifest import Manifest
from bpflab.runner.process import FULL
from bpflab.runner.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from bpflab.runner.progress import Progress

MANIFEST: Final = "entry.json"
TREE: Final = "tree"
_TEMPORARY: Final = ".new-"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was built. `facts` are what its builder tells of it, by name."""

    directory: Path
    facts: Mapping[str, str]

    @property
    def tree(self) -> Path:
        """The directory with what was built."""
        return self.directory / TREE


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry as a list shows it: kind/name, bytes on disk, and whether it is whole."""

    name: str
    size: int
    whole: bool


class Cache:
    """The entries below a directory; a context manager that lets go of the entries it gave out."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or default_directory() / "runner"
        self._held: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for name in list(self._held):
            os.close(self._held.pop(name))

    def obtain(
        self,
        kind: str,
        label: str,
        key: tuple[str, ...],
        build: Callable[[Path], Mapping[str, str]],
        progress: Progress = silent,
    ) -> Entry:
        """Find an entry, or have it built; it stays held until the cache is closed.

        `build` fills the directory it is given and returns facts. An entry with files missing or of another length is
        built anew. RunnerError if the cache cannot be written.
        """
        name = f"{label}-{fingerprint(*key)[:16]}"
        with self._writing():
            waiting = f"waiting for another process that uses {kind}/{name}"
            lock = self._hold(kind, name, lambda: progress(waiting))
            try:
                found = self._find(kind, name)
                if found is None:
                    _lock(lock, fcntl.LOCK_EX, lambda: progress(waiting))
                    found = self._find(kind, name) or self._build(kind, name, build)
                    fcntl.flock(lock, fcntl.LOCK_SH)
            except BaseException:
                os.close(self._held.pop(f"{kind}/{name}"))
                raise
        return found

    def keep_locks_over_exec(self) -> None:
        """Let the program that this process becomes go on holding the entries."""
        for lock in self._held.values():
            os.set_inheritable(lock, True)  # noqa: FBT003 - its parameter has no name

    def entries(self) -> list[Listed]:
        """List all entries, damaged ones too."""
        return [
            Listed(
                f"{path.parent.name}/{path.name}", _size(path), Manifest.whole(path / MANIFEST, path / TREE) is not None
            )
            for path in sorted(self.directory.glob("*/*"))
            if path.is_dir() and not path.name.startswith(".")
        ]

    def clear(self, word: str = "") -> tuple[list[str], list[str]]:
        """Remove the entries with a word in their names; gives those removed, and those left as they are in use."""
        removed: list[str] = []
        used: list[str] = []
        with self._writing():
            for listed in self.entries():
                if word in listed.name:
                    (removed if self._remove(listed.name) else used).append(listed.name)
        return removed, used

    def _remove(self, name: str) -> bool:
        lock = self._open_lock(*name.split("/"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._discard(self.directory / name)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        return True

    def _find(self, kind: str, name: str) -> Entry | None:
        directory = self.directory / kind / name
        manifest = Manifest.whole(directory / MANIFEST, directory / TREE)
        return None if manifest is None else Entry(directory, manifest.facts)

    def _build(self, kind: str, name: str, build: Callable[[Path], Mapping[str, str]]) -> Entry:
        """Build under a temporary name; the lock is held, so what has this entry's temporary name is nobody's."""
        for left in (self.directory / kind).glob(f"{_TEMPORARY}{name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(dir=self.directory / kind, prefix=f"{_TEMPORARY}{name}-"))
        try:
            (temporary / TREE).mkdir()
            facts = dict(build(temporary / TREE))
            content = Manifest.of(temporary / TREE, facts)
            (temporary / MANIFEST).write_text(json.dumps(content.as_dict()), encoding="utf-8")
            final = self.directory / kind / name
            self._discard(final)
            temporary.rename(final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        return Entry(final, facts)

    def _discard(self, directory: Path) -> None:
        """Take an entry away by one rename, then delete it."""
        if directory.exists():
            doomed = directory.with_name(f"{_TEMPORARY}{directory.name}-old")
            shutil.rmtree(doomed, ignore_errors=True)
            directory.rename(doomed)
            shutil.rmtree(doomed)

    def _open_lock(self, kind: str, name: str) -> int:
        """Open the lock of an entry; its file is never removed, as somebody may wait on it."""
        (self.directory / kind).mkdir(parents=True, exist_ok=True)
        return os.open(self.directory / kind / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _hold(self, kind: str, name: str, waiting: Callable[[], None]) -> int:
        """Share the lock of an entry until this cache is closed; a second time it is the same lock."""
        held = self._held.get(f"{kind}/{name}")
        lock = self._open_lock(kind, name) if held is None else held
        self._held[f"{kind}/{name}"] = lock
        _lock(lock, fcntl.LOCK_SH, waiting)
        return lock

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            remedy = "Free some space" if problem.errno in {errno.ENOSPC, errno.EDQUOT} else "Make it writable"
            raise RunnerError(
                f"The cache {self.directory} cannot be written: {problem.strerror or problem}. "
                f"{remedy}, or set ${VARIABLE} to another directory; `bpflab cache clear` empties it."
            ) from problem
        except RunnerError as problem:
            if FULL not in str(problem):
                raise
            raise RunnerError(
                f"The disk of the cache {self.directory} is full. Free some space, or set ${VARIABLE} to another "
                f"directory; `bpflab cache clear` empties it. {problem}"
            ) from problem


def _lock(lock: int, kind: int, waiting: Callable[[], None]) -> None:
    """Take a lock, shared or exclusive; `waiting` is called if somebody else has it."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(lock, kind)


def _size(directory: Path) -> int:
    return sum(os.lstat(Path(parent, name)).st_size for parent, _, files in os.walk(directory) for name in files)
