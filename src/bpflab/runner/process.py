"""Commands of the host that a build needs: their lines as they come, and a sentence when one fails."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

FULL: Final = "No space left on device"
"""What commands say of a full disk, in the language that they are asked for."""
_MARKS: Final = ("e:", "w:", "err:", "error", "dpkg-deb: error")
_LINES_SHOWN: Final = 8


def run(
    command: Sequence[str],
    *,
    failing: str,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> list[str]:
    """Run a command and give its lines, standard error among them; `on_line` has each at once.

    RunnerError, beginning with `failing`, if the command is not there or fails. Whatever interrupts the wait, Ctrl-C
    among it, also ends the command.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=directory,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
        )
    except OSError as problem:
        raise RunnerError(f"{failing}: {command[0]} cannot be started ({problem.strerror}).") from problem
    with process:
        try:
            lines = _read(process, on_line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RunnerError(f"{failing}: {command[0]} ended with {process.returncode}.\n{telling(lines)}")
    return lines


def _read(process: subprocess.Popen[str], on_line: Callable[[str], None] | None) -> list[str]:
    lines = []
    for line in process.stdout or ():
        lines.append(line.rstrip("\n"))
        if on_line is not None:
            on_line(lines[-1])
    return lines


def telling(lines: Sequence[str]) -> str:
    """Pick the lines that say what is wrong: those of errors and warnings if there are any, else the last."""
    marked = [line for line in lines if line.lower().startswith(_MARKS) or FULL in line]
    return "\n".join(f"  {line.strip()}" for line in (marked or list(lines))[-_LINES_SHOWN:])
