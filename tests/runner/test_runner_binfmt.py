from __future__ import annotations

import errno
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bpflab.abi.layout import ByteOrder
from bpflab.cli import main
from bpflab.errors import RunnerError
from bpflab.runner import binfmt
from bpflab.runner.binfmt import rule, with_children
from bpflab.runner.launch import Launch

QEMU = Path("/usr/bin/qemu-s390x")
LITTLE, BIG = 1, 2


def header(data: int, kind: int = 3, machine: int = 22) -> bytes:
    order: ByteOrder = "little" if data == LITTLE else "big"
    return b"\x7fELF" + bytes((2, data, 1)) + bytes(9) + kind.to_bytes(2, order) + machine.to_bytes(2, order)


def matches(line: bytes, file: bytes) -> bool:
    _, _, _, _, magic, mask, _, _ = line.decode().split(":")
    wanted, bits = (bytes.fromhex(part.replace("\\x", "")) for part in (magic, mask))
    return all(byte & bit == want for byte, bit, want in zip(file, bits, wanted, strict=True))


@pytest.mark.parametrize("data", [LITTLE, BIG])
def test_a_rule_takes_programs_of_the_same_machine_shared_or_not_and_no_others(data: int) -> None:
    line = rule(QEMU, header(data))
    assert line.startswith(b":bpflab-qemu-s390x:M:0:")
    assert line.endswith(b":/usr/bin/qemu-s390x:FPO")
    assert matches(line, header(data))
    assert matches(line, header(data, kind=2))
    assert not matches(line, header(data, machine=62))
    assert not matches(line, header(3 - data))


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    program = tmp_path / "python"
    program.write_bytes(header(BIG))
    return Launch((str(QEMU), "-L", "/root", str(program)), {"A": "b"}, Path("/root"))


def test_where_the_kernel_refuses_it_says_what_is_needed(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *_: object) -> None:
        raise OSError(errno.EPERM, f"{name}: {os.strerror(errno.EPERM)}")

    monkeypatch.setattr(binfmt, "_call", refuse)
    with pytest.raises(RunnerError, match=r"--binfmt\) needs Linux 6\.7 .* refused: unshare: Operation not permitted"):
        with_children(launch)


def test_the_hosts_own_architecture_needs_nothing(launch: Launch) -> None:
    native = replace(launch, sysroot=None)
    assert with_children(native) is native


def test_a_command_for_a_shell_has_the_variables_that_differ(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"A": "other", "GONE": "x", "SAME": "y"})
    written = replace(launch, environment={"A": "b c", "SAME": "y"}).as_shell(["-c", "print(1)"])
    assert shlex.split(written) == ["env", "-u", "GONE", "A=b c", *launch.command, "-c", "print(1)"]


@pytest.mark.usefixtures("mirror")
def test_the_command_is_printed_instead_of_run() -> None:
    result = CliRunner().invoke(main, ["python", "--arch", "x86_64", "--print-command", "-V"])
    assert result.output.split()[-2:] == [sys.executable, "-V"]
