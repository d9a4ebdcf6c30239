"""The fixtures, and what runs a test once for each backend.

None asks for `request`, which pytest makes anew for each fixture of each test: that costs more than to run a program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_bpflab.backends import PARAMETER, backend_names, backend_of
from pytest_bpflab.options import SETTINGS
from pytest_bpflab.runs import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.lab import Lab


@pytest.fixture(scope="session")
def bpf_backend() -> str:
    """Return the name of the backend that the test runs on: `kernel` or `sim`."""
    return backend_of(running())


@pytest.fixture
def bpf(bpf_backend: str) -> Iterator[Lab]:
    """Open a Lab for the test, and close it with all that was opened in it.

    `bpf.load("firewall.bpf.c")` looks beside the test file first. A test that leaves something of the kernel open
    outside the Lab is told by a BpfLeakWarning.
    """
    from pytest_bpflab.lab import lab_of_test

    with lab_of_test(running(), bpf_backend) as lab:
        yield lab


@pytest.fixture(scope="module")
def bpf_module(bpf_backend: str) -> Iterator[Lab]:
    """Open a Lab that the tests of a module share: programs are loaded once, by fixtures of the module.

    Each test finds the maps as the wider fixtures left them: they are brought back after it, and what it opened is
    closed. What cannot be brought back (`lab.snapshot().left_out`) stays as the test left it.
    """
    from pytest_bpflab.sharing import shared_lab

    item = running()
    with shared_lab(item.getparent(pytest.Module) or item, bpf_backend, item.path.parent) as lab:
        yield lab


@pytest.fixture(scope="session")
def bpf_session(bpf_backend: str) -> Iterator[Lab]:
    """Open a Lab that all tests of a session share, as `bpf_module` does for a module.

    Under pytest-xdist each worker has its own. Relative paths are looked for in pytest's root directory first.
    """
    from pytest_bpflab.sharing import shared_lab

    with shared_lab(running().session, bpf_backend, running().config.rootpath) as lab:
        yield lab


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Under `--bpf=both`, run each test that names a backend on both."""
    if PARAMETER in metafunc.fixturenames and metafunc.config.stash[SETTINGS].mode == "both":
        metafunc.parametrize(PARAMETER, backend_names(metafunc.config), indirect=True)
