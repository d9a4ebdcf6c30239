"""The Lab that the fixture `bpf` hands to a test. Imported by the fixture alone: it brings bpflab with it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpflab import Lab
from bpflab.backend import select
from pytest_bpflab.backends import shared_backend
from pytest_bpflab.cassettes import through_cassette
from pytest_bpflab.coverage import covered
from pytest_bpflab.leaks import told_of_leaks
from pytest_bpflab.options import REPLAY, SETTINGS
from pytest_bpflab.runs import watched
from pytest_bpflab.tallies import note_runs
from pytest_bpflab.trace import logged
from pytest_bpflab.verifier_report import verified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bpflab.backend.base import Backend
    from bpflab.maps.base import Map
    from bpflab.obj.spec import ObjectSpec
    from bpflab.objects.loaded import LoadedObject
    from bpflab.objects.opened import OpenedObject


class TestFileLab(Lab):
    """A Lab that looks for sources and objects beside the test file first."""

    def __init__(self, backend: Backend, directory: Path) -> None:
        super().__init__(backend)
        self.directory = directory

    def load(
        self,
        source: str | Path | bytes | ObjectSpec,
        *,
        programs: Iterable[str] | None = None,
        rodata: Mapping[str, int | bytes] | None = None,
        maps: Mapping[str, Map[Any, Any]] | None = None,
    ) -> LoadedObject:
        """Load as `Lab.load`; a relative path is looked for beside the test file, then in the working directory."""
        if isinstance(source, (str, Path)):
            source = self.found(source)
        return super().load(source, programs=programs, rodata=rodata, maps=maps)

    def open(self, source: str | Path | bytes | ObjectSpec) -> OpenedObject:
        """Open as `Lab.open`; a relative path is looked for as by `load`."""
        return super().open(self.found(source) if isinstance(source, (str, Path)) else source)

    def found(self, source: str | Path) -> Path:
        """Return where a file is: beside the test file, else in the working directory; the former when nowhere."""
        path = Path(source)
        beside = self.directory / path
        return path if path.exists() and not beside.exists() else beside


def open_for(config: pytest.Config, name: str) -> Backend:
    """Open a backend for a test; its programs are measured if coverage was asked for, its calls logged."""
    return logged(config, covered(config, verified(config, _opened(config, name))))


def _opened(config: pytest.Config, name: str) -> Backend:
    """Open a backend; under `--bpf=both` the simulated machine has as many CPUs as this one."""
    if name == "sim" and config.stash[SETTINGS].mode == "both":
        from bpflab.sim.backend import SimBackend
        from bpflab.sim.kernel import Machine

        return SimBackend(Machine(possible_cpus=shared_backend(config, "kernel").possible_cpus))
    if name == REPLAY:
        pytest.fail(
            "--bpf=replay: a cassette holds what one test asked, and bpf_module and bpf_session are shared by several; "
            "use the fixture bpf, or run these tests on the kernel or the simulator.",
            pytrace=False,
        )
    return select.open_backend(name)


def refuse_unusable(name: str) -> None:
    """Fail the test that is running where the backend of that name cannot be used."""
    refusal = select.kernel_refusal() if name == "kernel" else None
    if refusal:
        pytest.fail(f"--bpf=kernel: {refusal}", pytrace=False)


@contextmanager
def lab_of_test(item: pytest.Item, name: str) -> Iterator[Lab]:
    """Open a Lab for a test on the backend of that name; the test fails where the backend cannot be used."""
    refuse_unusable(name)
    with through_cassette(item, name, lambda: open_for(item.config, name)) as opened:
        backend = watched(lambda: item, item.ihook, opened)
        with told_of_leaks(item, name), TestFileLab(backend, item.path.parent) as lab:
            try:
                yield lab
            finally:
                note_runs(item, lab)
