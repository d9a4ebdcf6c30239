"""One run of a suite on one target: pytest with pytest-benchmark, started, heard, and read."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bpflab.bench.inside import TIMER
from bpflab.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpflab.runner.launch import Launch
    from bpflab.runner.progress import Progress

REQUIREMENTS: Final = ("pytest-benchmark",)
"""What a guest has beside what bpflab needs."""
COUNTED: Final = (
    f"--benchmark-timer={TIMER}",
    "--benchmark-disable-gc",
    "--benchmark-warmup=off",
    "--benchmark-min-rounds=5",
    "--benchmark-min-time=0.001",
    "--benchmark-max-time=0.001",
)
"""Options for a clock that counts: five rounds are as good as any number. A round has a million instructions, so that
those of the timer do not matter."""
_OK: Final = (0, 1)
"""pytest's exit codes with which there are figures: 1 says that some tests failed."""
_NONE: Final = 5
_PERCENT: Final = re.compile(r"\[ *(\d+)%\]\s*$")
_FAILED: Final = re.compile(r"(?:FAILED|ERROR) (\S+)(?: - .*)?$")
_LINES_SHOWN: Final = 25
_OF_A_WORKER: Final = "PYTEST_XDIST_"
"""Begins the variables of a worker of pytest-xdist. A pytest that it starts is none, and must not think that it is."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What to run: files and directories, pytest's -k, and further arguments for pytest."""

    paths: tuple[str, ...]
    expression: str = ""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ran:
    """What pytest-benchmark wrote, None if there was nothing to measure, and the tests that failed."""

    written: Mapping[str, Any] | None
    failed: tuple[str, ...] = ()


def run(suite: Suite, launch: Launch, options: Sequence[str], progress: Progress) -> Ran:
    """Run a suite once; BenchError with pytest's last lines if it does not come to an end of its own."""
    with tempfile.TemporaryDirectory(prefix="bpflab-bench-") as directory:
        file = Path(directory, "figures.json")
        lines, code = _listen(command(suite, launch, options, file), launch, progress)
        if code not in (*_OK, _NONE):
            raise BenchError(f"pytest ended with {code}:\n" + "\n".join(lines[-_LINES_SHOWN:]))
        return Ran(json.loads(file.read_bytes()) if _has_content(file) else None, failed(lines))


def command(suite: Suite, launch: Launch, options: Sequence[str], file: Path) -> list[str]:
    """Compose the command of a run that writes its figures to a file."""
    expression = ("-k", suite.expression) if suite.expression else ()
    own = ("-p", "bpflab.bench.inside", "-p", "no:cacheprovider", "--benchmark-only", "--no-header", "-v", "-rfE")
    output = f"--benchmark-json={file}"
    return [*launch.command, "-m", "pytest", *suite.paths, *own, *options, output, *expression, *suite.arguments]


def failed(lines: Sequence[str]) -> tuple[str, ...]:
    """Find the tests that failed in pytest's summary."""
    return tuple(found[1] for line in lines if (found := _FAILED.match(line)))


def _listen(command: Sequence[str], launch: Launch, progress: Progress) -> tuple[list[str], int]:
    """Start a command and hear its lines. Whatever interrupts the wait also ends the command."""
    lines: list[str] = []
    inherited = {name: value for name, value in launch.environment.items() if not name.startswith(_OF_A_WORKER)}
    environment = {**inherited, "PYTHONUNBUFFERED": "1", "COLUMNS": "500"}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if found := _PERCENT.search(line):
                    progress("measuring", int(found[1]), 100)
        except BaseException:
            process.kill()
            raise
    return lines, process.returncode


def _has_content(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0
