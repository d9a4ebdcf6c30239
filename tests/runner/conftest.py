from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bpflab.abi.architectures import ARCHITECTURES

APT_GET = """
here=$(dirname "$APT_CONFIG")
case "$1" in
update) echo "Hit:1 mirror" ;;
download) : > "$2_1.0_all.deb" ;;
*)
  echo "2 newly installed"
  echo "Get:1 mirror one"
  : > "$here/cache/archives/libc6_2.36-9_guest.deb"
  : > "$here/cache/archives/python3.11_3.11.2_guest.deb" ;;
esac
"""
DPKG_DEB = """
mkdir -p "$3/usr/bin" "$3/usr/lib"
case "$2" in
*/qemu-*) for each in s390x aarch64; do echo emulator > "$3/usr/bin/qemu-$each-static"; done ;;
*) echo python > "$3/usr/bin/python3.11"; ln -sfn /usr/lib/real "$3/usr/lib/absolute" ;;
esac
"""
APT_CONFIG = """
cat <<'END'
Dir::Etc::sourcelist "sources.list";
Acquire::http::Proxy "http://proxy.example:3128";
DPkg::Post-Invoke:: "touch /tmp/invoked";
END
"""
PIP = 'while [ "$1" != --target ]; do shift; done; mkdir -p "$2"; echo wheel > "$2/installed.py"'


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory that is the whole PATH: what a shell needs, and calls of `tool` to come."""
    made = tmp_path / "bin"
    made.mkdir()
    for name in ("sh", "mkdir", "ln", "cat", "dirname", "sleep"):
        (made / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(made))
    return made


@pytest.fixture
def tool(tools: Path) -> Callable[[str, str], None]:
    """Return what writes a command by its shell script; each call of it is written to a log."""

    def put(name: str, script: str) -> None:
        path = tools / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {tools}/log\n{script}\n', encoding="utf-8")
        path.chmod(0o755)

    return put


@pytest.fixture
def calls(tools: Path) -> Callable[[str], list[str]]:
    """Return what lists the calls of a command so far."""

    def lines(name: str) -> list[str]:
        log = tools / "log"
        return (
            [line for line in log.read_text("utf-8").splitlines() if line.startswith(f"{name} ")]
            if log.exists()
            else []
        )

    return lines


@pytest.fixture
def mirror(tool: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for apt, dpkg, pip and qemu, with a mirror that has everything, and an empty cache."""
    scripts = {"apt-get": APT_GET, "dpkg-deb": DPKG_DEB, "apt-config": APT_CONFIG, "pip": PIP, "qemu-s390x": ":"}
    for name, script in scripts.items():
        tool(name, script)
    monkeypatch.setenv("BPFLAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("bpflab.runner.packages.pip", lambda: ["pip"])
    monkeypatch.setattr("bpflab.runner.sysroot.compile_tree", lambda *_: None)
    for module in ("qemu", "launch"):
        monkeypatch.setattr(f"bpflab.runner.{module}.current", lambda: ARCHITECTURES["x86_64"])


@pytest.fixture
def leftovers(tmp_path: Path) -> Callable[[], list[str]]:
    """Return what lists the half-built things in the cache."""
    return lambda: sorted(path.name for path in (tmp_path / "cache").rglob(".new-*"))
