"""`--bpf-verifier-report`: what the verifier did with each program, and whether it has more to do than before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.backend.base import Backend
    from bpflab.programs.verifier import VerifierStats

REPORT: Final = pytest.StashKey["VerifierReport"]()
SENT: Final = "bpf_verifier"
DEFAULT_LIMIT: Final = 5.0


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options."""
    group.addoption(
        "--bpf-verifier-report",
        action="store_true",
        dest="bpf_verifier_report",
        help="show what the verifier did with each program: instructions, states, stack, time",
    )
    group.addoption(
        "--bpf-verifier-json",
        default=None,
        metavar="FILE",
        dest="bpf_verifier_json",
        help="write the same to FILE as JSON, which can be a baseline",
    )
    group.addoption(
        "--bpf-verifier-baseline",
        default=None,
        metavar="FILE",
        dest="bpf_verifier_baseline",
        help="fail the session when a program makes the verifier do more than in FILE, by over the limit",
    )
    group.addoption(
        "--bpf-verifier-limit",
        type=float,
        default=DEFAULT_LIMIT,
        metavar="PERCENT",
        dest="bpf_verifier_limit",
        help=f"how much more is allowed (default: {DEFAULT_LIMIT:g})",
    )


def configure(config: pytest.Config) -> None:
    """Listen to the verifier where an option asks for it."""
    if any(config.getoption(f"bpf_verifier_{name}") for name in ("report", "json", "baseline")):
        config.stash[REPORT] = VerifierReport(config)
        config.pluginmanager.register(config.stash[REPORT], "bpflab-verifier-report")


def verified(config: pytest.Config, backend: Backend) -> Backend:
    """Wrap a backend of a fixture, if the verifier is listened to."""
    if REPORT not in config.stash:
        return backend
    from bpflab.backend.verified import VerifiedBackend

    return VerifiedBackend(backend, config.stash[REPORT].hear)


class VerifierReport:
    """Collects the statistics of a session, over the workers of pytest-xdist."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.stats: dict[str, VerifierStats] = {}
        self._lines: list[str] = []

    def hear(self, name: str, prog_type: ProgType, log: str) -> None:
        """Note what the verifier did with a program that was loaded."""
        from bpflab.programs.complexity import merged
        from bpflab.programs.verifier import parse_stats

        found = parse_stats(log)
        if found is not None:
            self.stats = merged([self.stats, {f"{name or '(no name)'} {prog_type.name}": found}])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - xdist's worker controller
        """Take in what a worker heard."""
        from bpflab.programs.complexity import from_json, merged

        document = getattr(node, "workeroutput", {}).get(SENT)
        if document:
            self.stats = merged([self.stats, from_json(document, "a worker's report")])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send what this worker heard; elsewhere write the file and judge."""
        from bpflab.errors import BpfError
        from bpflab.programs.complexity import to_json

        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[SENT] = to_json(self.stats)
            return
        try:
            self._finish(session)
        except (BpfError, OSError) as error:
            self._lines.append(f"ERROR: {error}")
            _fail(session)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table and the judgement."""
        lines = [*(_table(self.stats) if self.config.getoption("bpf_verifier_report") else ()), *self._lines]
        if lines:
            terminalreporter.write_sep("=", "what the verifier did")
            for line in lines:
                terminalreporter.write_line(line)

    def _finish(self, session: pytest.Session) -> None:
        from bpflab.programs.complexity import read_baseline, regressions, to_json

        baseline = self._path("bpf_verifier_baseline")
        before = read_baseline(baseline) if baseline else {}
        written = self._path("bpf_verifier_json")
        if written:
            self._write(written, to_json(self.stats), session)
        found = regressions(self.stats, before, self.config.getoption("bpf_verifier_limit"))
        if found:
            limit = self.config.getoption("bpf_verifier_limit")
            self._lines += [f"FAIL: {each}; the limit is {limit:g} %." for each in found]
            _fail(session)

    def _write(self, path: Path, document: dict[str, Any], session: pytest.Session) -> None:
        try:
            _write(path, document)
        except OSError as error:
            self._lines.append(f"ERROR: {path} cannot be written: {error.strerror}.")
            _fail(session)

    def _path(self, option: str) -> Path | None:
        given = self.config.getoption(option)
        return Path(self.config.invocation_params.dir, given) if given else None


def _write(path: Path, document: dict[str, Any]) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def _table(stats: dict[str, VerifierStats]) -> list[str]:
    width = max([len("program"), *map(len, stats)])
    head = f"{'program':<{width}}  {'insns':>9}  {'states':>7}  {'peak':>6}  {'stack':>12}  {'usec':>8}"
    rows = [
        f"{name:<{width}}  {each.insns:>9,}  {each.total_states or '-':>7}  {each.peak_states or '-':>6}  "
        f"{'+'.join(map(str, each.stack_depth)) or '-':>12}  {each.microseconds or '-':>8}"
        for name, each in sorted(stats.items())
    ]
    return [head, *rows]


def _fail(session: pytest.Session) -> None:
    """Let a session end as one with failures; a worse end stays."""
    if session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
