"""An interrupt, a killed worker: nothing is left attached or pinned, and the results so far are told."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpflab import Lab
from bpflab.abi.commands import Command
from bpflab.errors import SyscallError
from bpflab.programs.info import program_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPING = """
    import os
    import time
    from pathlib import Path

    import pytest
    from programs import PASS

    @pytest.fixture(scope="module")
    def shared(bpf_module):
        bpf_module.map("array", value="u32", max_entries=1, name="shared").pin("shared")
        return bpf_module.program(PASS, name="shared")

    def test_done(bpf, shared):
        shared.run(bytes(14))

    def test_endless(bpf, bpf_module, shared):
        bpf.map("array", value="u32", max_entries=1, name="{name}").pin("mine")
        program = bpf.program(PASS, name="{name}")
        bpf.attach(program, "lo").pin("attached")
        Path("running").write_text("\\n".join([str(os.getpid()), bpf.pin_root, bpf_module.pin_root]))
        while True:
            program.run_many([bytes(60)] * 2000)

    def test_never(bpf):
        pass
"""
UNIQUE = f"bpflab_{os.getpid()}"
"""The name of what the interrupted test opens; the kernel shows 15 characters of it."""
PATIENCE = 60.0
CLONE_NEWNET = 0x40000000
HOLDER = f"import ctypes; print(ctypes.CDLL(None).unshare({CLONE_NEWNET}), flush=True); input()"
"""Holds a network namespace, whose interfaces outlive the session that attaches to them."""


@pytest.fixture
def interfaces(bpf_backend: str) -> Iterator[Callable[[], None]]:
    """What a session does first to have interfaces of its own."""
    if bpf_backend != "kernel":
        yield lambda: None
        return
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == b"0\n"
        with Path(f"/proc/{holder.pid}/ns/net").open("rb") as namespace:
            yield partial(enter, namespace.fileno())
        holder.stdin.close()


def enter(namespace: int) -> None:
    """Go into a network namespace."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def start(suite: pytest.Pytester, interfaces: Callable[[], None], *options: str) -> subprocess.Popen[str]:
    """Start a session whose second test runs a program for ever, and wait until it does."""
    suite.makepyfile(LOOPING.replace("{name}", UNIQUE))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--bpf-json=runs.json", *options]
    session = subprocess.Popen(
        command,
        cwd=suite.path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=interfaces,  # noqa: PLW1509 - no thread of this process holds a lock that setns takes
    )
    wait_for(suite.path / "running")
    return session


def wait_for(path: Path) -> None:
    """Wait until a file has something in it."""
    end = time.monotonic() + PATIENCE
    while not (path.exists() and path.stat().st_size):
        if time.monotonic() > end:
            pytest.fail(f"{path.name} was not written in {PATIENCE} s")
        time.sleep(0.05)


def outcomes(suite: pytest.Pytester) -> dict[str, Any]:
    """Return the outcome of each test that the JSON document has."""
    document = json.loads((suite.path / "runs.json").read_text("utf-8"))
    return {test["test"].partition("::")[2]: test["outcome"] for test in document["tests"]}


def left_in_kernel(bpf: Lab, suite: pytest.Pytester) -> list[str]:
    """Name what an ended session left: pins, and programs of its name."""
    roots = [Path(line) for line in (suite.path / "running").read_text("utf-8").splitlines()[1:]]
    pins = [str(pin) for root in roots if root.is_dir() for pin in root.iterdir()]
    return pins + [f"program {number}" for number in programs_named(bpf, UNIQUE[:15])]


def programs_named(bpf: Lab, name: str) -> list[int]:
    """Return the numbers of the programs of a kernel that have a name."""
    found, number = [], 0
    while (number := next_program(bpf, number)) > 0:
        try:
            fd = bpf.call(Command.PROG_GET_FD_BY_ID, start_id=number).result
        except SyscallError:  # gone meanwhile
            continue
        if program_info(bpf.call, fd).name == name:
            found.append(number)
        bpf.backend.close(fd)
    return found


def next_program(bpf: Lab, number: int) -> int:
    """Return the number of the program after this one; 0 at the end."""
    try:
        return bpf.call(Command.PROG_GET_NEXT_ID, start_id=number).attr["next_id"]
    except SyscallError:
        return 0


def test_after_ctrl_c_nothing_is_left_and_the_results_are_told(
    suite: pytest.Pytester, bpf: Lab, bpf_backend: str, interfaces: Callable[[], None]
) -> None:
    session = start(suite, interfaces, f"--bpf={bpf_backend}")
    session.send_signal(signal.SIGINT)
    output, _ = session.communicate(timeout=PATIENCE)
    assert session.returncode == pytest.ExitCode.INTERRUPTED
    assert "1 passed" in output
    assert "KeyboardInterrupt" in output
    assert f"bpf: 1 test ran on the {'kernel' if bpf_backend == 'kernel' else 'simulated kernel'}" in output
    assert outcomes(suite)["test_done"] == "passed"
    assert left_in_kernel(bpf, suite) == []


def test_a_killed_worker_leaves_nothing_and_the_others_results_are_told(
    suite: pytest.Pytester, bpf: Lab, bpf_backend: str, interfaces: Callable[[], None]
) -> None:
    session = start(suite, interfaces, f"--bpf={bpf_backend}", "-n", "1", "--max-worker-restart=1")
    worker = int((suite.path / "running").read_text("utf-8").splitlines()[0])
    os.kill(worker, signal.SIGKILL)
    output, _ = session.communicate(timeout=PATIENCE)
    assert session.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 2 passed" in output
    assert "crashed while running" in output
    assert outcomes(suite) == {"test_done": "passed", "test_endless": "failed", "test_never": "passed"}
    assert left_in_kernel(bpf, suite) == []
