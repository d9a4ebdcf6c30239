from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bpflab.abi.architectures import current
from bpflab.errors import RunnerError
from bpflab.runner.cache import Cache
from bpflab.runner.clock import COUNTER, NOT_COUNTED, clock
from bpflab.runner.counter.counted import counted
from bpflab.runner.counter.file import MARK, SIZE, create, reader, was_written
from bpflab.runner.counter.plugin import compiled, compiler
from bpflab.runner.guests import GUESTS

OTHER_ORDER = "big" if sys.byteorder == "little" else "little"


def counter(tmp_path: Path, mark: int, count: int, order: str = sys.byteorder) -> Path:
    path = tmp_path / "counter"
    swapped = order != sys.byteorder
    words = [value.to_bytes(8, sys.byteorder) for value in (mark, count)]
    path.write_bytes(b"".join(word[::-1] if swapped else word for word in words))
    return path


@pytest.mark.parametrize("order", [sys.byteorder, OTHER_ORDER])
@pytest.mark.parametrize("count", [0, 1, 0x0102_0304_0506_0708, 2**64 - 1])
def test_a_count_is_read_whatever_byte_order_the_host_has(tmp_path: Path, order: str, count: int) -> None:
    assert reader(counter(tmp_path, MARK, count, order))() == count


def test_a_reader_sees_what_is_counted_after_it_was_made(tmp_path: Path) -> None:
    path = counter(tmp_path, MARK, 5)
    read = reader(path)
    with path.open("r+b") as file:
        file.seek(8)
        file.write((77).to_bytes(8, sys.byteorder))
    assert read() == 77


@pytest.mark.parametrize(
    ("content", "said"),
    [(bytes(4), "it has 4 bytes instead of 16"), (bytes(SIZE), "its mark is 0x0"), (b"\xff" * SIZE, "its mark is")],
)
def test_a_damaged_counter_is_told_and_wall_time_taken(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "counter"
    path.write_bytes(content)
    with pytest.raises(RunnerError, match=said):
        reader(path)
    found = clock({COUNTER: str(path)})
    assert said in found.reason
    assert (found.deterministic, found.unit) == (False, "nanoseconds")
    assert found.now() <= found.now()


def test_a_counter_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in clock({COUNTER: str(tmp_path / "none")}).reason


def test_an_instruction_is_a_nanosecond(tmp_path: Path) -> None:
    found = clock({COUNTER: str(counter(tmp_path, MARK, 2_000_000_000))})
    assert (found.now(), found.deterministic, found.reason) == (2.0, True, "")


def test_the_reason_for_wall_time_is_handed_down() -> None:
    assert clock({NOT_COUNTED: "no qemu"}).reason == "no qemu"
    assert "not started to be counted" in clock({}).reason


def test_an_empty_counter_was_not_written_by_qemu(tmp_path: Path) -> None:
    create(tmp_path / "counter")
    assert not was_written(tmp_path / "counter")
    assert was_written(counter(tmp_path, MARK, 9))


Tool = Callable[[str, str], None]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Return what writes a command into the only directory of PATH; the cache is empty."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("BPFLAB_CACHE_DIR", str(tmp_path / "cache"))

    def put(name: str, script: str) -> None:
        (directory / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (directory / name).chmod(0o755)

    return put


def reason() -> str:
    with Cache() as cache, counted(cache, GUESTS[current().name]) as found:
        assert found.launch.environment[NOT_COUNTED] == found.reason
        done = subprocess.run(
            [*found.launch.command, "-c", "from bpflab.runner.clock import CLOCK; print(CLOCK.reason)"],
            env=dict(found.launch.environment),
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.strip() == found.reason
    return found.reason


@pytest.mark.usefixtures("tool")
def test_without_qemu_the_host_is_measured_in_wall_time_and_says_why() -> None:
    assert reason() == f"Instructions are counted by qemu-{qemu()}, which is not installed. Install qemu-user."


def test_without_a_compiler_it_says_so(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(f"qemu-{qemu()}", "exit 1")
    monkeypatch.setattr("bpflab.runner.counter.plugin.find_spec", lambda _: None)
    assert "needs a C compiler, and there is no cc, gcc, clang on the PATH" in reason()


def test_a_compiler_that_fails_is_quoted(tool: Tool) -> None:
    tool(f"qemu-{qemu()}", "exit 1")
    tool("cc", "echo 'error: stdint.h: No such file'; exit 1")
    told = reason()
    assert "could not be compiled" in told
    assert "error: stdint.h: No such file" in told


def test_a_qemu_that_takes_no_plugins_is_quoted(tool: Tool) -> None:
    tool(f"qemu-{qemu()}", "echo \"qemu: unknown option 'plugin'\" >&2; exit 1")
    tool("cc", 'while [ "$1" != -o ]; do shift; done; : > "$2"')
    told = reason()
    assert "takes no plugins, as static builds do not" in told
    assert "unknown option 'plugin'" in told


def test_a_plugin_is_compiled_once(tool: Tool, tmp_path: Path) -> None:
    tool("cc", f'echo run >> {tmp_path}/log; while [ "$1" != -o ]; do shift; done; : > "$2"')
    for _ in range(2):
        with Cache() as cache:
            assert compiled(cache, 1).is_file()
    assert (tmp_path / "log").read_text("utf-8") == "run\n"


def test_the_compiler_of_the_environment_goes_first(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool("gcc", "exit 0")
    assert compiler()[0].endswith("/gcc")
    monkeypatch.setenv("CC", "ccache gcc-12")
    assert compiler() == ["ccache", "gcc-12"]


@pytest.mark.skipif(
    os.environ.get("BPFLAB_GUESTS") != "1", reason="$BPFLAB_GUESTS is not 1: qemu is run when asked for"
)
def test_instructions_are_counted_and_are_the_same_in_two_processes() -> None:
    program = """
from bpflab.runner.clock import CLOCK, now
assert CLOCK.deterministic, CLOCK.reason
def work():
    return sum(len(str(i)) for i in range(3000))
work()
start = now()
work()
print(round((now() - start) * 1e9))
"""
    with Cache() as cache, counted(cache, GUESTS[current().name]) as found:
        counts = [
            int(
                subprocess.run(
                    [*found.launch.command, "-c", program],
                    env=dict(found.launch.environment),
                    capture_output=True,
                    check=True,
                ).stdout
            )
            for _ in range(3)
        ]
    assert min(counts) > 100_000
    assert max(counts) <= min(counts) * 1.001


def qemu() -> str:
    return GUESTS[current().name].qemu
