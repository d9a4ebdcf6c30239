"""Coverage of everything that runs in some Labs."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from bpflab.backend.select import open_backend
from bpflab.coverage.backend import CoveringBackend
from bpflab.coverage.data import CoverageData
from bpflab.coverage.source_files import SourceFiles

if TYPE_CHECKING:
    from bpflab.backend.base import Backend


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
