"""The Lab of the fixture `bpf_mock`. Imported by the fixture alone: it brings bpflab with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.backend.mock import MockBackend
from pytest_bpflab.lab import TestFileLab

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.backend.calls import Call
    from bpflab.backend.match import Where
    from bpflab.backend.mock_script import Script


class MockLab(TestFileLab):
    """A Lab on a mock, whose script and log are at hand; `mock` is the backend itself."""

    def __init__(self, directory: Path) -> None:
        self.mock = MockBackend()
        super().__init__(self.mock, directory)

    @property
    def strict(self) -> bool:
        """Whether a call that is not scripted is an UnscriptedCallError; can be set."""
        return self.mock.strict

    @strict.setter
    def strict(self, strict: bool) -> None:
        self.mock.strict = strict

    def on(self, command: object, *, where: Where | None = None, **fields: object) -> Script:
        """Begin a script for calls that match, as `MockBackend.on` documents."""
        return self.mock.on(command, where=where, **fields)

    def calls(self, command: object = "*", *, where: Where | None = None, **fields: object) -> list[Call]:
        """Return the calls that were made, oldest first, as `MockBackend.calls` documents."""
        return self.mock.calls(command, where=where, **fields)

    def check_used(self) -> None:
        """Raise UnusedAnswersError when scripted answers are left; the fixture does so after the test."""
        self.mock.check_used()
