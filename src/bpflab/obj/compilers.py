"""Find a compiler for BPF, and the headers that it is to see.

Taken is $BPF_CLANG (a command, or the word `ziglang`), else clang on the PATH if it knows BPF, else the clang
inside the Python package ziglang, which is a download away on every system: `pip install "bpflab[clang]"`.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bpflab.errors import CompileError

VARIABLE: Final = "BPF_CLANG"
BUNDLED: Final = "ziglang"
"""What $BPF_CLANG says to take the Python package's clang though there is another."""
HEADERS: Final = Path(__file__).parent.parent / "headers"
"""The package's headers: bpf/ for programs, order/ for the target's byte order, fallback/ for what is not there."""
_ORDER: Final = ("-isystem", str(HEADERS / "order"))
SYSTEM_HEADERS: Final = Path("/usr/include")

_ARCHITECTURES: Final = {
    "x86_64": ("x86", "x86"),
    "amd64": ("x86", "x86"),
    "aarch64": ("arm64", "aarch64"),
    "arm64": ("arm64", "aarch64"),
    "s390x": ("s390", "s390x"),
    "riscv64": ("riscv", "riscv"),
    "ppc64le": ("powerpc", "powerpc"),
    "loongarch64": ("loongarch", "loongarch"),
    "armv7l": ("arm", "arm"),
    "armv8l": ("arm", "arm"),
}
"""For what platform.machine() says: the suffix of __TARGET_ARCH_, and the name in ziglang's directories."""
_C_LIBRARIES: Final = {"x86": "x86_64", "arm": "aarch64", "powerpc": "powerpc64", "riscv": "riscv64"}
"""Where the C library's headers are those of another name: BPF is 64 bits wide, also on 32-bit arm."""
_TIMEOUT: Final = 60


@dataclass(frozen=True, slots=True)
class Compiler:
    """A clang: the command that starts it, the arguments that name its headers, and what identifies it."""

    command: tuple[str, ...]
    headers: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """Find the compiler to use; CompileError says what to install where there is none."""
    return _compiler(os.environ.get(VARIABLE, ""), os.environ.get("PATH", ""))


@cache
def _compiler(wanted: str, path: str) -> Compiler:
    zig = _zig_library()
    if wanted and (wanted != BUNDLED or zig is None):
        return _plain(_command(wanted), zig)
    if zig is not None and wanted == BUNDLED:
        return _bundled(zig)
    clang = shutil.which("clang", path=path)
    if clang and (zig is None or _knows_bpf(clang)):
        return _plain((clang,), zig)
    if zig is not None:
        return _bundled(zig)
    raise CompileError(
        f"no compiler for BPF was found: ${VARIABLE} is not set, and there is no clang on the PATH. "
        'Install one with pip install "bpflab[clang]", or your system\'s package clang.'
    )


def _command(wanted: str) -> tuple[str, ...]:
    first, *rest = shlex.split(wanted)
    found = shutil.which(first)
    if found is None:
        raise CompileError(f"${VARIABLE} is {wanted!r}, and {first!r} is no program that can be run.")
    return found, *rest


def _zig_library() -> Path | None:
    """Find the directory of ziglang's headers, without importing it."""
    spec = find_spec("ziglang")
    places = spec.submodule_search_locations if spec else None
    return next((Path(each) / "lib" for each in places or () if (Path(each) / "lib" / "include").is_dir()), None)


def _knows_bpf(clang: str) -> bool:
    """Ask a clang for its targets: Apple's, for one, has no BPF among them."""
    return "bpf" in _output((clang, "--print-targets"))


def _plain(command: tuple[str, ...], zig: Path | None) -> Compiler:
    """Describe a clang of the system: its headers, or those of ziglang where it has none of the kernel."""
    multiarch = SYSTEM_HEADERS / f"{platform.machine()}-linux-gnu"
    headers: tuple[str, ...] = _ORDER + (("-isystem", str(multiarch)) if multiarch.is_dir() else ())
    if zig is not None and not (SYSTEM_HEADERS / "linux" / "bpf.h").exists():
        headers += _zig_kernel_headers(zig, "-idirafter")
    return Compiler(command, headers + _own_headers(), _output((*command, "--version")))


def _bundled(zig: Path) -> Compiler:
    """Describe the clang of ziglang, with the headers of ziglang and nothing of the system's."""
    binary = shutil.which("zig", path=str(zig.parent))
    command = (binary, "clang") if binary else (sys.executable, "-m", "ziglang", "clang")
    headers = ("-nostdinc", *_ORDER, "-isystem", str(zig / "include"), *_zig_kernel_headers(zig, "-isystem"))
    return Compiler(command, headers + _own_headers() + _zig_c_headers(zig), _output((*command, "--version")))


def _zig_kernel_headers(zig: Path, option: str) -> tuple[str, ...]:
    names = (f"{architecture()[1]}-linux-any", "any-linux-any")
    return tuple(word for name in names for word in (option, str(zig / "libc" / "include" / name)))


def _zig_c_headers(zig: Path) -> tuple[str, ...]:
    """Name the C library's headers, last of all: programs use few (stdint.h, string.h for its declarations)."""
    machine = architecture()[1]
    names = (f"{_C_LIBRARIES.get(machine, machine)}-linux-musl", "generic-musl")
    return tuple(word for name in names for word in ("-idirafter", str(zig / "libc" / "include" / name)))


def _own_headers() -> tuple[str, ...]:
    """Name the package's headers, behind the system's: an installed libbpf goes first."""
    return "-idirafter", str(HEADERS), "-idirafter", str(HEADERS / "fallback")


def architecture() -> tuple[str, str]:
    """Give this machine's name in __TARGET_ARCH_ macros and in ziglang's directories; x86 for unknown ones."""
    return _ARCHITECTURES.get(platform.machine().lower(), ("x86", "x86"))


def _output(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise CompileError(f"{shlex.join(command)} cannot be run: {problem}.") from problem
    return done.stdout
