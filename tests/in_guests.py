"""Run tests in guests of other architectures: `python tests/in_guests.py NAME[,NAME...] [pytest's arguments]`.

A guest that cannot be built, as where no mirror is in reach, is an error and says why. BPFLAB_REQUIRE_GUESTS=0 makes
it a message.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError
from bpflab.runner.cache import Cache
from bpflab.runner.guests import guest_of
from bpflab.runner.launch import prepare
from bpflab.runner.progress import Printed

if TYPE_CHECKING:
    from bpflab.runner.guests import Guest

ROOT: Final = Path(__file__).resolve().parents[1]
REQUIREMENTS: Final = ("pytest-benchmark", "pytest-timeout", "pytest-xdist")
VARIABLE: Final = "BPFLAB_REQUIRE_GUESTS"
OPTIONS: Final = ("-p", "no:cacheprovider", "--bpf=sim")
"""The checkout is the host's to write to; bpf(2) does not exist in a guest."""


def main(names: str, arguments: list[str]) -> int:
    """Return the worst exit status; every guest is tried."""
    return max(tested(guest_of(name), arguments) for name in names.split(","))


def tested(guest: Guest, arguments: list[str]) -> int:
    """Run pytest in one guest; return its exit status."""
    print(f"\n== {guest.name}", flush=True)
    started = time.monotonic()
    with Cache() as cache:
        try:
            prepare(cache, guest, REQUIREMENTS, Printed(f"guest {guest.name}"))
        except RunnerError as error:
            return refused(guest, error)
        built = time.monotonic()
        status = subprocess.run([*pytest_in(guest), *OPTIONS, *arguments], cwd=ROOT, check=False).returncode
    print(
        f"{guest.name}: made ready in {built - started:.0f} s, tested in {time.monotonic() - built:.0f} s", flush=True
    )
    return status


def pytest_in(guest: Guest) -> list[str]:
    """Return the command that is pytest in a guest: a worker for each CPU, where a guest may start further Pythons."""
    requirements = [word for name in REQUIREMENTS for word in ("--with", name)]
    python = [sys.executable, "-m", "bpflab", "python", "--arch", guest.name, "--quiet", *requirements]
    many = [*python, "--binfmt"]
    tried = subprocess.run([*many, "-c", ""], check=False, capture_output=True, text=True)
    if tried.returncode == 0:
        return [*many, "-m", "pytest", "-n", str(os.cpu_count() or 1)]
    print(f"{guest.name}: tests that start Python are skipped. {tried.stderr.strip()}", flush=True)
    return [*python, "-m", "pytest"]


def refused(guest: Guest, error: RunnerError) -> int:
    """Say why there is no guest, and whether that counts."""
    if os.environ.get(VARIABLE) == "0":
        print(f"{guest.name}: NOT TESTED, and ${VARIABLE} is 0. {error}", flush=True)
        return 0
    print(f"{guest.name}: no guest can be made (${VARIABLE}=0 does without). {error}", flush=True)
    return 2


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except RunnerError as unknown:
        sys.exit(str(unknown))
