"""Coverage of BPF programs: which instructions, branches and source lines ran, on whichever backend.

    coverage = Coverage()
    with Lab(coverage.watch("kernel")) as lab:
        ...
    print(coverage.report())

Whole test suites are measured by `pytest --bpf-cov`.
"""

from __future__ import annotations

from bpflab.coverage.data import CoverageData, Unmeasured
from bpflab.coverage.data_file import CoverageFileError, read_file, write_file
from bpflab.coverage.hits import Hits
from bpflab.coverage.program import CoveredProgram, Place
from bpflab.coverage.recorder import Coverage

__all__ = [
    "Coverage",
    "CoverageData",
    "CoverageFileError",
    "CoveredProgram",
    "Hits",
    "Place",
    "Unmeasured",
    "read_file",
    "write_file",
]
