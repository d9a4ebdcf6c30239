"""A disk that is full: each file that cannot be written is told of, and the results are as they are."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
    from programs import PASS

    def test_passing(bpf):
        bpf.program(PASS).run(bytes(60))

    def test_failing(bpf):
        assert bpf.program(PASS).run(bytes(60)).retval == 1
"""
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
PAGE = 4096


def mount_full_disk(directory: Path) -> None:
    """Mount a disk of one page, which a file fills, in a mount namespace of this process's own."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
    private = libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    if private or libc.mount(b"full", bytes(directory), b"tmpfs", 0, f"size={PAGE}".encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    (directory / "filling").write_bytes(bytes(PAGE))


@pytest.mark.bpf(backend="kernel")
@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--bpf-report-dir=full", "packets.pcapng"),
        ("--bpf-json=full/runs.json", "runs.json"),
        ("--bpf-record=full", "test_passing.toml"),
        ("--bpf-cov-report=html:full/html", "html"),
        ("--bpf-verifier-json=full/verifier.json", "verifier.json"),
    ],
)
def test_a_full_disk_is_told_of_and_the_results_stay(suite: pytest.Pytester, option: str, told: str) -> None:
    suite.makepyfile(TESTS)
    full = suite.mkdir("full")
    session = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--bpf=sim", option],
        cwd=suite.path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: mount_full_disk(full),
    )
    assert session.returncode == pytest.ExitCode.TESTS_FAILED
    assert "assert 2 == 1" in session.stdout
    assert "1 failed" in session.stdout
    assert "Traceback" not in session.stdout + session.stderr
    assert "INTERNALERROR" not in session.stdout + session.stderr
    line = next(line for line in session.stdout.splitlines() if told in line)
    assert "No space left on device" in line
