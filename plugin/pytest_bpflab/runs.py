"""Runs of programs, seen at the seam: what went in, what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from enum import IntEnum

    import pluggy

    from bpflab.abi.prog_types import ProgType
    from bpflab.backend.base import Backend

_RUNNING: Final[list[pytest.Item]] = []
"""The test that is running; a session of pytest inside a test puts its own on top."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program.

    `program` is its name as the kernel knows it (15 characters), `digest` tells programs of one name apart by their
    instructions, `type` is its type, `packet` and `ctx` what went in,
    `output` and `ctx_output` what came out, `retval` its return value (unsigned, 32 bits), `duration` the mean
    nanoseconds of its `repeat` repetitions. `errno` is 0, or why the backend refused to run
    it. `kernel` is the version of the kernel, and `instructions` how many a simulated kernel executed, all repetitions
    together (0 on another backend).
    """

    backend: str
    program: str
    digest: str
    type: ProgType
    packet: bytes
    ctx: bytes
    repeat: int
    retval: int
    output: bytes
    ctx_output: bytes
    duration: int
    errno: int
    kernel: str = ""
    instructions: int = 0

    @property
    def verdict(self) -> IntEnum | None:
        """The return value as a verdict of the program's type; None where it is a mere number."""
        from bpflab.abi.verdicts import verdict_of

        return verdict_of(self.type, self.retval)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Know which test is running; one that is interrupted is torn down later, and stays known until then."""
    depth = len(_RUNNING)
    _RUNNING.append(item)
    result = yield
    del _RUNNING[depth:]
    return result


def running() -> pytest.Item:
    """Return the test that is being set up, run or torn down."""
    return _RUNNING[-1]


def watched(item: Callable[[], pytest.Item], hooks: pluggy.HookRelay, backend: Backend) -> Backend:
    """Return the backend, wrapped so that its packets are kept, and `pytest_bpf_run` hears of each run if it is used.

    `item` gives the test that a run belongs to, when it is made.
    """
    from pytest_bpflab.keeping import KeepingBackend, keeps

    hook = hooks.pytest_bpf_run
    if not keeps(backend):
        backend = KeepingBackend(backend)
    if not hook.get_hookimpls():
        return backend
    from pytest_bpflab.watch import WatchingBackend

    return WatchingBackend(backend, lambda run: hook(item=item(), run=run))
