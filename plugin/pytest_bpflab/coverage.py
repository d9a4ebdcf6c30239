"""`--bpf-cov`: coverage of the BPF programs that a session runs, its options and what is said of it at the end.

bpflab's part is imported once somebody asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.backend.base import Backend
    from pytest_bpflab.measuring import Measuring

TARGET_FIXTURE: Final = "bpf_cover_target"
DATA_FILE: Final = ".bpf-coverage"
MEASURING: Final = pytest.StashKey["Measuring"]()


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options of coverage."""
    group.addoption(
        "--bpf-cov",
        action="append",
        nargs="?",
        const="",
        default=[],
        metavar="SOURCE",
        dest="bpf_cov",
        help="measure which lines and branches of BPF programs the tests run; with SOURCE (several times), report "
        "the files under it alone",
    )
    group.addoption(
        "--bpf-cov-report",
        action="append",
        default=[],
        metavar="KIND",
        dest="bpf_cov_report",
        help="what to make of it: term (the default), term-missing, lcov[:FILE], xml[:FILE], html[:DIR]; several times",
    )
    group.addoption(
        "--bpf-cov-fail-under",
        type=float,
        default=None,
        metavar="PERCENT",
        dest="bpf_cov_fail_under",
        help="fail the session when less of lines and branches ran",
    )
    group.addoption(
        "--bpf-cov-data",
        default=None,
        metavar="FILE",
        dest="bpf_cov_data",
        help=f"where measurements are kept (default: {DATA_FILE} in the root directory of the session)",
    )
    group.addoption(
        "--bpf-cov-append",
        action="store_true",
        dest="bpf_cov_append",
        help="add to the measurements of earlier sessions instead of forgetting them",
    )
    group.addoption(
        "--bpf-cov-target",
        action="store_true",
        dest="bpf_cov_target",
        help="make hypothesis look for examples that go more branches of BPF programs",
    )


def configure(config: pytest.Config) -> None:
    """Begin to measure if an option asks for it."""
    asked = config.getoption("bpf_cov") or config.getoption("bpf_cov_report") or config.getoption("bpf_cov_append")
    if asked or config.getoption("bpf_cov_fail_under") is not None or config.getoption("bpf_cov_data"):
        measure(config, reported=True)
    elif config.getoption("bpf_cov_target"):
        measure(config, reported=False)


def measure(config: pytest.Config, *, reported: bool) -> Measuring:
    """Measure the Labs that fixtures open from now on; say so at the end of the session if `reported`."""
    if MEASURING not in config.stash:
        from pytest_bpflab.measuring import Measuring

        config.stash[MEASURING] = Measuring(config, reported=reported)
        config.pluginmanager.register(config.stash[MEASURING], "bpflab-coverage")
    return config.stash[MEASURING]


def covered(config: pytest.Config, backend: Backend) -> Backend:
    """Return the backend, wrapped so that its programs are measured, if anybody asked."""
    measuring = config.stash.get(MEASURING, None)
    return backend if measuring is None else measuring.coverage.watch(backend)


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Measure where a test uses the fixture that needs it, whatever was asked."""
    if any(TARGET_FIXTURE in getattr(item, "fixturenames", ()) for item in items):
        measure(config, reported=False)


@pytest.fixture(scope="session")
def bpf_cover_target(request: pytest.FixtureRequest) -> Callable[[], int]:
    """Return a function to call at the end of a hypothesis test: it makes hypothesis look for more branches.

    It feeds `hypothesis.target` the number of different edges of branches that BPF programs went since it was called
    last, and returns that number.
    """
    from pytest_bpflab.targeting import Steering

    measuring = measure(request.config, reported=False)
    steering = Steering(measuring.coverage)
    measuring.at_setup.append(steering.forget)
    return steering.feed


def destination(config: pytest.Config, name: str) -> Path:
    """Return the path that an option gives, relative to where pytest was started."""
    return Path(config.invocation_params.dir, name)
