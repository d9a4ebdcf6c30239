from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpflab.cli.demo import example_directory
from bpflab.obj.prebuilt import object_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return shutil.copytree(example_directory(), tmp_path / "firewall")


def demo(directory: Path, words: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demo in a process of its own, as a user does."""
    command = [sys.executable, "-m", "bpflab.cli", "demo", str(directory), "-k", words]
    variables = {**os.environ, "COLUMNS": "200", **environment}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=variables)


def edit(source: Path, old: str, new: str) -> None:
    """Replace what stands once in a file."""
    text = source.read_text("utf-8")
    assert text.count(old) == 1
    source.write_text(text.replace(old, new), encoding="utf-8")


def test_the_demo_tells_of_packets_and_verdicts(example: Path) -> None:
    done = demo(example, "blocked_port or wrong_checksum")
    assert (done.returncode, done.stderr) == (0, "")
    assert "A firewall in XDP, tested on the " in done.stdout
    assert "✓ A blocked port is dropped and its neighbour is not" in done.stdout
    assert "DROP  IP / TCP 192.0.2.1" in done.stdout
    assert "→ IP / ICMP 198.51.100.2 > 192.0.2.1 echo-reply" in done.stdout
    assert "tests passed in" in done.stdout


def test_it_leaves_nothing_behind(example: Path) -> None:
    before = sorted(example.iterdir())
    demo(example, "ping")
    assert sorted(example.iterdir()) == before


def test_it_fails_when_the_source_is_wrong_and_names_what_broke(example: Path) -> None:
    edit(example / "firewall.bpf.c", "return blocked && *blocked ? BLOCKED_PORT : PASSED;", "return PASSED;")
    done = demo(example, "neighbour or not_ip")
    assert done.returncode == 1
    assert "✗ A blocked port is dropped and its neighbour is not" in done.stdout
    assert "assert XDP.PASS is XDP.DROP" in done.stdout
    assert "✓ What is not ip passes" in done.stdout


def test_it_shows_the_compilers_words_when_the_source_does_not_compile(example: Path) -> None:
    edit(example / "firewall.bpf.c", "return blocked && *blocked ? BLOCKED_PORT : PASSED;", "return PASSED")
    done = demo(example, "neighbour")
    assert done.returncode == 1
    assert "expected ';' after return statement" in done.stdout


def test_it_shows_the_verifiers_words_when_a_check_is_missing(example: Path) -> None:
    edit(example / "firewall.bpf.c", "cursor->offset > MAX_OFFSET || header + size > cursor->end", "!cursor->start")
    done = demo(example, "neighbour")
    assert done.returncode == 1
    assert "The verifier refused program 'firewall'" in done.stdout
    assert "invalid access to packet" in done.stdout


def test_an_edited_source_without_a_compiler_is_told(example: Path) -> None:
    edit(example / "firewall.bpf.c", "#define DEFAULT_TTL 64", "#define DEFAULT_TTL 65")
    done = demo(example, "neighbour", BPF_CLANG="no-such-compiler")
    assert done.returncode == 1
    assert f"{object_of(example / 'firewall.bpf.c').name} lies beside it" in done.stdout


def test_it_needs_no_compiler_for_the_source_that_was_shipped(example: Path) -> None:
    assert demo(example, "neighbour", BPF_CLANG="no-such-compiler").returncode == 0


def test_the_example_can_be_copied_to_play_with(bpflab: Callable[..., Result], tmp_path: Path) -> None:
    result = bpflab("demo", "--copy", tmp_path / "mine")
    assert result.exit_code == 0
    assert {"firewall.bpf.c", "firewall.bpf.o", "test_firewall.py"} <= {
        path.name for path in (tmp_path / "mine").iterdir()
    }


def test_a_directory_that_is_taken_is_not_overwritten(bpflab: Callable[..., Result], tmp_path: Path) -> None:
    result = bpflab("demo", "--copy", tmp_path)
    assert result.exit_code == 2
    assert "cannot be copied" in result.output


def test_a_directory_without_the_example_is_refused(bpflab: Callable[..., Result], tmp_path: Path) -> None:
    result = bpflab("demo", tmp_path)
    assert result.exit_code == 2
    assert "has no firewall.bpf.c" in result.output
