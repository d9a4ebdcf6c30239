"""Labs that several tests share, and what each test finds in them: what the wider fixtures left, and nothing else.

Fixtures of a wider scope are set up before those of a test. When the first fixture of a test (or, without one, its
body) begins, a snapshot of each shared Lab is taken, unless the last one still holds; after the test, when its
fixtures are torn down and before wider ones are, the snapshot is restored, and what the test opened is closed.

Registered by the first fixture that shares a Lab, so that nobody else pays for its hooks.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from bpflab.trace.log import call_log
from pytest_bpflab.lab import TestFileLab, open_for, refuse_unusable
from pytest_bpflab.leaks import told_of_leaks
from pytest_bpflab.runs import running, watched
from pytest_bpflab.tallies import note_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpflab.lab import Lab
    from bpflab.snapshots.snapshot import Snapshot

NAME: Final = "bpflab-sharing"
TEST: Final = "function"
"""The scope of fixtures that belong to one test."""


class SharedLab:
    """A Lab, and what it held before the test that is running."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.stale = True
        self._snapshot: Snapshot | None = None
        self._scope = lab.scope()
        self._log = call_log(lab.backend)
        self._mark = 0

    def begin(self) -> None:
        """Remember what there is, for the test that begins."""
        if self.stale and self._snapshot is not None:
            self._snapshot.close()
        if self.stale:
            self._snapshot = self.lab.snapshot()
            self.stale = False
        if self._log is not None:
            self._mark = self._log.mark()
        self._scope.__enter__()

    def end(self) -> None:
        """Close what the test opened, and bring back what it changed."""
        if self.lab.closed:
            return
        note_runs(running(), self.lab)
        self._scope.__exit__()
        if self._snapshot is not None:
            self._restore(self._snapshot)

    def _restore(self, snapshot: Snapshot) -> None:
        """Bring maps back; what a log has of the test is forgotten with it, unless the test did more than that."""
        if self._log is None or snapshot.left_out or not self._log.only_made_since(self._mark):
            snapshot.restore()
        else:
            self._log.rewound(self._mark, snapshot.restore)


class Sharing:
    """The shared Labs of a session, and the hooks that say where a test begins and ends."""

    def __init__(self) -> None:
        self.labs: list[SharedLab] = []
        self._begun: pytest.Item | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
        """Begin a test with the first of its own fixtures; a wider one may change what the Labs hold."""
        if fixturedef.scope == TEST:
            self._begin(request.node)
        else:
            self._changed()

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[object]) -> None:
        """Note that a wider fixture that was torn down may have changed what the Labs hold."""
        if fixturedef.scope != TEST:
            self._changed()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Begin a test that has no fixtures of its own."""
        self._begin(item)

    def _begin(self, item: pytest.Item) -> None:
        if self._begun is item:
            return
        self._begun = item
        for shared in self.labs:
            shared.begin()
        item.addfinalizer(self._end)

    def _end(self) -> None:
        self._begun = None
        if len(self.labs) == 1:
            self.labs[0].end()
            return
        with ExitStack() as stack:
            for shared in self.labs:
                stack.callback(shared.end)

    def _changed(self) -> None:
        for shared in self.labs:
            shared.stale = True


@contextmanager
def shared_lab(node: pytest.Item | pytest.Collector, name: str, directory: Path) -> Iterator[Lab]:
    """Open a Lab for the tests below a node, on the backend of that name; relative paths are found in `directory`."""
    refuse_unusable(name)
    config = node.config
    sharing = _sharing(config)
    backend = watched(running, node.ihook, open_for(config, name))
    with told_of_leaks(node, name), TestFileLab(backend, directory) as lab:
        shared = SharedLab(lab)
        sharing.labs.append(shared)
        try:
            yield lab
        finally:
            sharing.labs.remove(shared)


def _sharing(config: pytest.Config) -> Sharing:
    found = config.pluginmanager.get_plugin(NAME)
    if not isinstance(found, Sharing):
        found = Sharing()
        config.pluginmanager.register(found, NAME)
    return found
