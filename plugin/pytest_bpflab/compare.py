"""`--bpf=both`: each test runs on both backends, and what it did there is compared, asked about or not.

A record is left in a directory that the workers of pytest-xdist share; whoever finishes second compares.
"""

from __future__ import annotations

import hashlib
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_bpflab.backends import PARAMETER, backend_of
from pytest_bpflab.excuses import excuses_of, map_mistake
from pytest_bpflab.record import Record, contents_of, difference

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_bpflab.excuses import Excuses
    from pytest_bpflab.runs import Run

DIRECTORY: Final = "bpflab_records"
LABS: Final = ("bpf_session", "bpf_module", "bpf")
"""The fixtures whose maps are compared."""
RECORD: Final = pytest.StashKey[Record]()


class Comparison:
    """Keeps the record of each test on the first backend, and fails the second where it differs."""

    def __init__(self, config: pytest.Config) -> None:
        given = getattr(config, "workerinput", {}).get(DIRECTORY)
        self._owned = given is None
        self.directory = Path(given or tempfile.mkdtemp(prefix="bpflab-"))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's worker controller
        """Tell a worker of pytest-xdist where the records are."""
        node.workerinput[DIRECTORY] = str(self.directory)

    def pytest_unconfigure(self) -> None:
        """Remove the records."""
        if self._owned:
            shutil.rmtree(self.directory, ignore_errors=True)

    def pytest_bpf_run(self, item: pytest.Item, run: Run) -> None:
        """Note a run."""
        item.stash.setdefault(RECORD, Record()).runs.append(run)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """After a test that passed, compare what it did with what it did on the other backend."""
        result = yield
        funcargs = getattr(item, "funcargs", {})
        if PARAMETER in getattr(item, "fixturenames", ()) and not excused(item):
            record = item.stash.setdefault(RECORD, Record())
            maps = {name: each for lab in LABS if lab in funcargs for name, each in funcargs[lab].maps.items()}
            excuses = excuses_of(item)
            if mistake := map_mistake(excuses, maps):
                pytest.fail(f"The marker bpf: {mistake}", pytrace=False)
            record.maps |= contents_of(maps, excuses)
            self._compare(item, record, excuses)
        return result

    def _compare(self, item: pytest.Item, record: Record, excuses: Excuses) -> None:
        mine = backend_of(item)
        name = hashlib.sha256(identity(item).encode()).hexdigest()
        (self.directory / f"{name}.{mine}").write_bytes(pickle.dumps(record))
        other = self.directory / f"{name}.{'sim' if mine == 'kernel' else 'kernel'}"
        if other.exists():
            told = difference(pickle.loads(other.read_bytes()), record, excuses)  # written by this session itself
            if told:
                pytest.fail(f"The backends differ, in {told}.", pytrace=False)


def identity(item: pytest.Item) -> str:
    """Name a test without the backend it runs on."""
    callspec = getattr(item, "callspec", None)
    parts = str(callspec.id).split("-") if callspec else []
    if backend_of(item) in parts:
        parts.remove(backend_of(item))
    return f"{item.nodeid.partition('[')[0]}[{'-'.join(parts)}]"


def excused(item: pytest.Item) -> bool:
    """Whether a test says, by the marker `bpf(compare=False)`, that its backends may differ."""
    return any(mark.kwargs.get("compare") is False for mark in item.iter_markers("bpf"))
