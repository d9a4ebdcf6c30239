"""`bpflab demo`: the bundled firewall example's tests, told as stories of packets."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

import bpflab
from bpflab.errors import ArgumentError

EXAMPLE: Final = Path("examples", "xdp_firewall")
SOURCE: Final = "firewall.bpf.c"


@click.command("demo")
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--bpf", "backend", type=click.Choice(["auto", "kernel", "sim"]), default="auto", show_default=True, help="Where."
)
@click.option("-k", "words", default="", help="Only the tests whose name has these words (as pytest -k).")
@click.option("--copy", "to", type=click.Path(path_type=Path), help="Copy the example to a new directory instead.")
def command(*, directory: Path | None, backend: str, words: str, to: Path | None) -> None:
    """Test the bundled firewall, an XDP program in C, and tell what happens to each packet.

    In a checkout of bpflab the checkout's example is tested; DIRECTORY is that of another copy (see --copy).
    Edit firewall.bpf.c there and run the demo again: it says what broke.
    """
    example = directory or example_directory()
    if not (example / SOURCE).is_file():
        raise ArgumentError(
            f"{example} has no {SOURCE}; expected a copy of the example (bpflab demo --copy DIRECTORY)."
        )
    if to is not None:
        copy_example(example, to)
        click.echo(f"Edit {to / SOURCE}, then: bpflab demo {to}")
        return
    sys.exit(run_tests(example, backend, words))


def example_directory() -> Path:
    """Return where the example is: below the working directory, in the package, or in the checkout behind it."""
    package = Path(bpflab.__file__).resolve().parent
    places = [Path(), package, package.parent.parent]
    return next((place / EXAMPLE for place in places if (place / EXAMPLE / SOURCE).is_file()), package / EXAMPLE)


def copy_example(example: Path, to: Path) -> None:
    """Copy the example's files; ArgumentError when the place is taken."""
    try:
        shutil.copytree(example, to, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    except OSError as error:
        raise ArgumentError(f"The example cannot be copied to {to}: {error.strerror or error}.") from error


def run_tests(example: Path, backend: str, words: str = "") -> int:
    """Run the example's tests in this process, told by a Storyteller; pytest's exit code."""
    sys.dont_write_bytecode = True
    os.environ.pop("PYTEST_ADDOPTS", None)
    with tempfile.TemporaryDirectory(prefix="bpflab-demo-") as scratch:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = scratch
        return _run_pytest(example.absolute(), [f"--bpf={backend}", "-k", words])


def _run_pytest(example: Path, options: list[str]) -> int:
    import hypothesis
    import pytest

    from bpflab.cli.story import Storyteller

    hypothesis.settings.register_profile("demo", database=None, derandomize=True)
    hypothesis.settings.load_profile("demo")
    # Whatever pytest is configured to do where the demo is started is not meant for it.
    alone = [f"--rootdir={example}", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:terminal"]
    return int(pytest.main([str(example), "--import-mode=importlib", *options, *alone], plugins=[Storyteller()]))
