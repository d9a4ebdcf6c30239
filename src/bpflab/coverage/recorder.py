"""Coverage of everything that runs in some Labs."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from bpflab.backend.select import open_backend
from bpflab.coverage.backend import CoveringBackend
from bpflab.coverage.data import CoverageData
from bpflab.coverage.hits import Hits
from bpflab.coverage.source_files import SourceFiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.backend.base import Backend
    from bpflab.coverage.sources import Report


class Coverage:
    """Measures the programs that are loaded through the backends that it watches.

    `base` is the directory that sources are named relative to, and looked for in: by default the working directory.
    """

    def __init__(self, base: str | Path | None = None) -> None:
        self.data = CoverageData()
        self.files = SourceFiles(None if base is None else Path(base))
        self._watched: weakref.WeakSet[CoveringBackend] = weakref.WeakSet()

    def watch(self, backend: str | Backend, *, probes: bool | None = None) -> CoveringBackend:
        """Wrap a backend, given as for `Lab`, so that its programs are measured.

        `probes=True` puts probes into programs on the simulated kernel too, which counts by its engine otherwise.
        """
        covering = CoveringBackend(open_backend(backend), self.data, self.files, probes=probes)
        self._watched.add(covering)
        return covering

    def collect(self) -> CoverageData:
        """Return what was measured until now, Labs that are still open included."""
        for backend in self._watched:
            backend.collect()
        return self.data

    def restart(self) -> None:
        """Begin `current` anew; what was measured is kept."""
        for backend in self._watched:
            backend.restart()

    def current(self) -> dict[str, Hits]:
        """Return what ran since the last `restart` in Labs that are open, by the digests of the programs."""
        found: dict[str, Hits] = {}
        for backend in self._watched:
            for digest, hits in backend.current().items():
                found[digest] = found.get(digest, Hits()) | hits
        return found

    def report(self, sources: Iterable[str | Path] = ()) -> Report:
        """Sort what was measured by source: all but system headers, or what lies under the given paths."""
        from bpflab.coverage.sources import make_report

        return make_report(self.collect(), self.files.base, [Path(source) for source in sources])
