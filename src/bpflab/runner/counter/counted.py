"""A guest Python whose instructions are counted, or one that is not, with the reason."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.abi.architectures import current
from bpflab.errors import RunnerError
from bpflab.runner.clock import COUNTER, NOT_COUNTED
from bpflab.runner.counter.file import create, was_written
from bpflab.runner.counter.plugin import INTERFACES, compiled
from bpflab.runner.launch import prepare
from bpflab.runner.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab.runner.cache import Cache
    from bpflab.runner.guests import Guest
    from bpflab.runner.launch import Launch
    from bpflab.runner.progress import Progress

STEADY: Final = {"PYTHONHASHSEED": "0"}
"""What makes the order of sets, and so the count, the same in every process."""
_SEED: Final = ("-seed", "1")
"""The random bytes that a process finds at its start."""
_PROCESSOR: Final = ("-cpu", "max")
"""What wheels for newer processors of the host's kind need."""
_PROBE: Final = ("-I", "-S", "-c", "")
_PROBE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Counted:
    """A Python to start; `reason` says why its instructions are not counted, and is empty if they are.

    `qemu` is the program that runs it, if one does.
    """

    launch: Launch
    qemu: str = ""
    reason: str = ""


@contextmanager
def counted(
    cache: Cache, guest: Guest, requirements: Sequence[str] = (), progress: Progress = silent
) -> Iterator[Counted]:
    """Prepare a guest, the host's own architecture too, to be counted as long as the context is open.

    Where that is not possible it is a plain one, with the reason. RunnerError if there is no guest at all.
    """
    plain = prepare(cache, guest, requirements, progress)
    with tempfile.TemporaryDirectory(prefix="bpflab-counter-") as directory:
        try:
            found = _counting(cache, _emulated(guest, plain), Path(directory, "counter"), progress)
        except RunnerError as error:
            found = Counted(plain.with_environment(STEADY | {NOT_COUNTED: str(error)}), _qemu_of(plain), str(error))
        yield found


def _emulated(guest: Guest, plain: Launch) -> Launch:
    """Give the command that runs under qemu on the host's own architecture too."""
    if guest.name != current().name:
        return plain
    qemu = shutil.which(f"qemu-{guest.qemu}")
    if qemu is None:
        raise RunnerError(f"Instructions are counted by qemu-{guest.qemu}, which is not installed. Install qemu-user.")
    return replace(plain, command=(qemu, *_PROCESSOR, *plain.command))


def _counting(cache: Cache, plain: Launch, file: Path, progress: Progress) -> Counted:
    """Try the plugin's interfaces, and take the one that this qemu knows; RunnerError with what qemu says."""
    said = ""
    for interface in INTERFACES:
        option = f"{compiled(cache, interface, progress)},counter={file}"
        qemu, *rest = plain.command
        launch = replace(plain, command=(qemu, "-plugin", option, *_SEED, *rest))
        create(file)
        said = _tried(launch)
        if was_written(file):
            steady = replace(launch, command=(*_fixed_addresses(), *launch.command))
            return Counted(steady.with_environment(STEADY | {COUNTER: str(file)}), qemu)
    raise RunnerError(
        f"{plain.command[0]} takes no plugins, as static builds do not ({said or 'it said nothing'}). "
        "Install a qemu-user that does."
    )


def _fixed_addresses() -> tuple[str, ...]:
    """Find what starts a program at the same addresses each time, if this host has it and allows it."""
    command = ("setarch", platform.machine(), "-R")
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
    except OSError:
        return ()
    return () if done.returncode else command


def _tried(launch: Launch) -> str:
    """Start a Python that does nothing, and give the last line it wrote."""
    command = [*launch.command, *_PROBE]
    try:
        done = subprocess.run(
            command,
            env=dict(launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return str(problem)
    return done.stderr.strip().rpartition("\n")[2]


def _qemu_of(launch: Launch) -> str:
    return launch.command[0] if launch.command[0] != sys.executable else ""
