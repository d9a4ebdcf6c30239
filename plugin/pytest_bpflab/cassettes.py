"""`--bpf-record` writes a cassette for each test; `--bpf=replay` plays it, without privilege and without Linux.

A plugin of its own, registered by pytest_bpflab. A cassette is written when its test has passed (or was skipped), so
that a failure never replaces a good one.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_bpflab.backends import PARAMETER, backend_of, shared_backend
from pytest_bpflab.options import REPLAY, SETTINGS
from pytest_bpflab.recorded import NOT_PASSED, RECORDED, WRITTEN, Recorded
from pytest_bpflab.requirements import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from bpflab.backend.base import Backend
    from bpflab.backend.journal import Journal
    from bpflab.cassettes.replay import ReplayBackend

DEFAULT: Final = "cassettes"
HERE: Final = ""
"""What `--bpf-record` without a directory stands for."""
LONGEST_NAME: Final = 120
_UNFIT: Final = re.compile(r"[^\w.,=+\[\]-]+")
_REPLAY: Final[pytest.StashKey[ReplayBackend]] = pytest.StashKey()
_FAILED: Final = pytest.StashKey[bool]()


def add_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add the options, and the ini setting."""
    group.addoption(
        "--bpf-record",
        nargs="?",
        const=HERE,
        default=None,
        metavar="DIR",
        dest="bpf_record",
        help="write what the backend answers to each test that passes as a cassette below DIR (as --bpf-record=DIR; "
        f"default: the ini setting bpf_cassettes, or {DEFAULT} in the root directory)",
    )
    group.addoption(
        "--bpf-cassettes",
        default=None,
        metavar="DIR",
        dest="bpf_cassettes",
        help="where --bpf=replay finds the cassettes (default: the ini setting bpf_cassettes, or "
        f"{DEFAULT} in the root directory)",
    )
    parser.addini("bpf_cassettes", "where cassettes are, below the root directory", default=DEFAULT)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse what cannot be recorded, and watch the tests when there is something to record or replay."""
    recorded = config.getoption("bpf_record")
    mode = config.stash[SETTINGS].mode
    if recorded is not None:
        _check_recording(recorded, mode)
    if recorded is not None or mode == REPLAY:
        config.pluginmanager.register(Cassettes(), "bpflab-cassettes")
        config.pluginmanager.register(Skips(), "bpflab-cassette-skips")
    if recorded is not None:
        config.pluginmanager.register(Recorded(cassette_root(config)), "bpflab-recorded")


def _check_recording(given: str, mode: str) -> None:
    if mode == "both":
        raise pytest.UsageError("--bpf-record keeps the answers of one backend; use --bpf=kernel or --bpf=sim with it.")
    if mode == REPLAY:
        raise pytest.UsageError("--bpf-record and --bpf=replay exclude each other: first record, then replay.")
    if "::" in given or given.endswith(".py"):
        raise pytest.UsageError(
            f"--bpf-record was given {given!r} as its directory. Write --bpf-record=DIR, or put the option behind the "
            "tests."
        )


class Cassettes:
    """Watches each test for what its cassette must know besides its calls, and for how it ends."""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Fix a property's examples, and skip what was skipped when it was recorded."""
        _fix_examples(item)
        if is_replaying(item) and cassette_path(item).exists():
            _skip_as_recorded(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail a test whose replay diverged, even if it caught the error itself."""
        result = yield
        replay = item.stash.get(_REPLAY, None)
        if replay and replay.diverged:
            raise replay.diverged
        if replay:
            replay.body_over()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note whether the test failed."""
        report = yield
        if report.when != "teardown" and report.failed:
            item.stash[_FAILED] = True
            if _REPLAY in item.stash:
                item.stash[_REPLAY].let_go()
        return report


class Skips:
    """Keeps the reasons of what is skipped, or skips for reasons that were kept."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep the reason of a test that is skipped while others are recorded."""
        try:
            return (yield)
        except pytest.skip.Exception as skipped:
            if not is_replaying(item) and _is_ours(item):
                _save_skip(item, str(skipped.msg))
            raise


@contextmanager
def through_cassette(item: pytest.Item, name: str, opened: Callable[[], Backend]) -> Iterator[Backend]:
    """Give a test its backend: the one that `opened` returns, recorded if that was asked for, or its cassette."""
    if name == REPLAY:
        with _replayed(item) as replay:
            yield replay
    elif item.config.getoption("bpf_record") is None:
        yield opened()
    else:
        from bpflab.backend.journal import JournalBackend

        backend = JournalBackend(opened())
        yield backend
        failed = item.stash.get(_FAILED, False)
        if not failed:
            _save(item, backend.journal)
        item.user_properties.append((RECORDED, NOT_PASSED if failed else WRITTEN))


@contextmanager
def _replayed(item: pytest.Item) -> Iterator[Backend]:
    from bpflab.cassettes.cassette import CassetteError
    from bpflab.cassettes.diverge import ReplayError
    from bpflab.cassettes.make import open_replay

    try:
        replay = open_replay(cassette_path(item), cassette_root(item.config), item.nodeid)
    except (CassetteError, OSError) as error:
        mistake = str(error)
    else:
        item.stash[_REPLAY] = replay
        try:
            yield replay
            if not item.stash.get(_FAILED, False):
                replay.check_end()
        except ReplayError as error:
            mistake = str(error)
        else:
            return
    pytest.fail(f"--bpf=replay: {mistake}", pytrace=False)


def cassette_root(config: pytest.Config) -> Path:
    """Return the directory of all cassettes."""
    given = config.getoption("bpf_record") or config.getoption("bpf_cassettes")
    if given:
        return Path(config.invocation_params.dir, given)
    return Path(config.rootpath, config.getini("bpf_cassettes"))


def cassette_path(item: pytest.Item) -> Path:
    """Return where the cassette of a test is: a directory for each file of tests, a file for each test."""
    file, _, test = item.nodeid.partition("::")
    plain = test.replace("::", ".")
    name = _UNFIT.sub("_", plain)
    if name != plain or len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(test.encode()).hexdigest()[:8]}"
    return cassette_root(item.config) / file.removesuffix(".py") / f"{name}.toml"


def is_replaying(item: pytest.Item) -> bool:
    """Whether a test plays its cassette."""
    return item.config.stash[SETTINGS].mode == REPLAY


def again(item: pytest.Item) -> str:
    """Return the command that records a test."""
    given = item.config.getoption("bpf_record") or item.config.getoption("bpf_cassettes")
    option = f"--bpf-record={shlex.quote(given)}" if given else "--bpf-record"
    return f"pytest {shlex.quote(item.nodeid)} {option}"


def _save(item: pytest.Item, journal: Journal, skipped: str = "") -> None:
    from bpflab.cassettes.make import save

    path, root = cassette_path(item), cassette_root(item.config)
    try:
        save(journal, path, root, test=item.nodeid, again=again(item), skipped=skipped)
    except OSError as error:
        mistake = f"--bpf-record: the cassette {path} could not be written: {error.strerror}."
    else:
        return
    pytest.fail(mistake, pytrace=False)


def _save_skip(item: pytest.Item, reason: str) -> None:
    from bpflab.backend.journal import JournalBackend

    _save(item, JournalBackend(shared_backend(item.config, backend_of(item))).journal, reason)


def _skip_as_recorded(item: pytest.Item) -> None:
    from bpflab.cassettes.cassette import CassetteError
    from bpflab.cassettes.read import read

    try:
        skipped = read(cassette_path(item)).skipped
    except (CassetteError, OSError):
        return  # told by the fixture that opens it
    if skipped:
        item.user_properties.append((MISSING, skipped))
        pytest.skip(skipped)


def _is_ours(item: pytest.Item) -> bool:
    return PARAMETER in getattr(item, "fixturenames", ()) or item.get_closest_marker("bpf") is not None


def _fix_examples(item: pytest.Item) -> None:
    """Let a property draw the same examples when it is recorded and when it is replayed: those of a seed of its own."""
    method = getattr(item, "obj", None)
    function: Any = getattr(method, "__func__", method)
    if "hypothesis" in sys.modules and getattr(function, "is_hypothesis_test", False):
        from hypothesis import seed

        seed(zlib.crc32(item.nodeid.encode()))(function)
