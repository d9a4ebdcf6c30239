from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bpflab.errors import RunnerError
from bpflab.runner.cache import Cache
from bpflab.runner.guests import GUESTS, guest_of
from bpflab.runner.launch import Launch, prepare
from bpflab.runner.process import run

Leftovers = Callable[[], list[str]]
Tool = Callable[[str, str], None]
pytestmark = pytest.mark.usefixtures("mirror")
NO_NETWORK = """
case "$1" in
update) echo "Err:1 http://mirror.example stable InRelease"; echo "W: Failed to fetch: Temporary failure resolving" ;;
*) echo "E: Unable to locate package python3"; exit 100 ;;
esac
"""
FULL = 'echo "tar: ./file: Cannot write: No space left on device"; echo "dpkg-deb: error: tar failed"; exit 2'


def launch() -> Launch:
    with Cache() as cache:
        return prepare(cache, GUESTS["s390x"])


def refusal() -> str:
    with pytest.raises(RunnerError) as refused:
        launch()
    return str(refused.value)


def test_a_mirror_out_of_reach_is_told_with_what_apt_says(tool: Tool) -> None:
    tool("apt-get", NO_NETWORK)
    told = refusal()
    assert "Packages could not be had from the mirror that this host's apt is configured for" in told
    assert "E: Unable to locate package python3" in told
    assert "W: Failed to fetch: Temporary failure resolving" in told


def test_one_source_that_fails_does_not_matter_while_the_others_have_the_packages(tool: Tool, tools: Path) -> None:
    works = (tools / "apt-get").read_text("utf-8").split("\n", 2)[2]
    tool("apt-get", f'[ "$1" = update ] && echo "E: Failed to fetch" && exit 100\n{works}')
    heard: list[str] = []
    with Cache() as cache:
        prepare(cache, GUESTS["s390x"], progress=lambda *stage: heard.append(str(stage[0])))
    assert "going on with what could be read, although apt says 'E: Failed to fetch'" in heard


def test_whatever_interrupts_the_wait_for_a_command_ends_the_command() -> None:
    started: list[int] = []

    def interrupt(line: str) -> None:
        started.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", "echo $$; exec sleep 60"], failing="never", on_line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_a_full_disk_while_unpacking_is_told(tool: Tool) -> None:
    tool("dpkg-deb", FULL)
    told = refusal()
    assert "could not be unpacked" in told
    assert "No space left on device" in told
    assert "Free some space, or set $BPFLAB_CACHE_DIR to another directory" in told


def test_wheels_that_cannot_be_had_are_told(tool: Tool) -> None:
    tool("pip", 'echo "ERROR: No matching distribution found for scapy>=2.6"; exit 1')
    told = refusal()
    assert "Python packages for s390x could not be installed" in told
    assert "No matching distribution found for scapy" in told


@pytest.mark.parametrize(
    ("name", "script"), [("apt-get", NO_NETWORK), ("dpkg-deb", FULL), ("pip", "exit 1"), ("apt-get", "exit 1")]
)
def test_after_a_failure_the_cache_is_usable(
    name: str, script: str, tool: Tool, tools: Path, leftovers: Leftovers
) -> None:
    kept = (tools / name).read_text("utf-8").split("\n", 2)[2]
    tool(name, script)
    refusal()
    assert leftovers() == []
    tool(name, kept)
    assert launch().command[0].endswith("qemu-s390x")
    assert leftovers() == []


@pytest.mark.parametrize("name", ["apt-config", "apt-get", "dpkg-deb"])
def test_a_host_without_the_tools_of_debian_is_told_which(name: str, tools: Path, leftovers: Leftovers) -> None:
    (tools / name).unlink()
    assert f"{name} cannot be started (No such file or directory)" in refusal()
    assert leftovers() == []


def test_packages_without_a_python_are_told(tool: Tool) -> None:
    tool("dpkg-deb", ":")
    assert "hold no Python or no libc6; they were libc6_2.36-9_guest.deb" in refusal()


def test_qemu_is_fetched_where_it_is_missing(tools: Path) -> None:
    (tools / "qemu-s390x").unlink()
    command = launch().command
    assert Path(command[0]).read_text("utf-8") == "emulator\n"
    assert [path.name for path in Path(command[0]).parent.iterdir()] == ["qemu-s390x-static"]


def test_qemu_that_is_missing_and_cannot_be_fetched_is_told(tool: Tool, tools: Path, leftovers: Leftovers) -> None:
    (tools / "qemu-s390x").unlink()
    tool("apt-get", NO_NETWORK)
    assert refusal().startswith("qemu-s390x is not installed, and fetching it failed. Install qemu-user.")
    assert leftovers() == []


@pytest.mark.parametrize("name", ["vax", "", "sparc64"])
def test_an_unsupported_architecture_is_told_with_those_that_are(name: str) -> None:
    with pytest.raises(RunnerError, match="known are x86_64, arm64, s390x, riscv64, ppc64le, armhf"):
        guest_of(name)


@pytest.mark.parametrize("blocked", ["apt-get -y", "apt-get update", "dpkg-deb -x", "pip install"])
def test_ctrl_c_ends_with_a_sentence_and_a_usable_cache(
    blocked: str, tool: Tool, tools: Path, calls: Callable[[str], list[str]], leftovers: Leftovers
) -> None:
    step, argument = blocked.split()
    works = (tools / step).read_text("utf-8").split("\n", 2)[2]
    tool(step, f'[ "$1" = {argument} ] && exec sleep 60\n{works}')
    code = (
        "import bpflab.runner.packages as p; p.pip = lambda: ['pip']\n"
        "import bpflab.runner.launch as l, bpflab.runner.qemu as q, bpflab.abi.architectures as a\n"
        "l.current = q.current = lambda: a.ARCHITECTURES['x86_64']\n"
        "from bpflab.cli import main; main(['python', '--arch', 's390x', '-V'])"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        while not any(call.startswith(blocked) for call in calls(step)):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert told.endswith("Stopped. What was finished is in the cache; nothing half-built was kept.\n")
    assert leftovers() == []
    tool(step, works)
    assert launch().command[0].endswith("qemu-s390x")
