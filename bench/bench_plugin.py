"""What an installed but unused plugin costs a pytest run, and what `import bpflab` costs.

    python bench/bench_plugin.py [--rounds 15]

The aims: under 30 ms for the plugin, under 60 ms for the import. Processes are started by turns, and their CPU time
is taken, because the wall clock of a busy machine tells of the machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from c_baseline import by_turns

if TYPE_CHECKING:
    from collections.abc import Callable

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


def cpu_milliseconds(command: list[str], directory: Path) -> Callable[[], float]:
    """Return what runs a command and gives its CPU time, the system's share included."""

    def measure() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, cwd=directory, stdout=subprocess.DEVNULL, env=plain_environment())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    return measure


def plain_environment() -> dict[str, str]:
    """Return the environment without what configures pytest, and without the plugins of others, which make noise."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "BPFLAB_"))}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="bpflab-bench-") as scratch:
        directory = Path(scratch)
        (directory / "test_plain.py").write_text("def test_plain():\n    assert True\n", encoding="utf-8")
        (directory / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        ways = {
            "pytest": cpu_milliseconds(PYTEST, directory),
            "pytest, plugin unused": cpu_milliseconds([*PYTEST, "-p", "pytest_bpflab"], directory),
            "python": cpu_milliseconds([sys.executable, "-c", "pass"], directory),
            "python, import bpflab": cpu_milliseconds([sys.executable, "-c", "import bpflab"], directory),
        }
        taken = by_turns(ways, rounds)
    for name, milliseconds in taken.items():
        print(f"{name:28}{milliseconds:8.1f} ms")
    print(f"the unused plugin adds      {taken['pytest, plugin unused'] - taken['pytest']:8.1f} ms")
    print(f"import bpflab takes         {taken['python, import bpflab'] - taken['python']:8.1f} ms")


if __name__ == "__main__":
    main()
