"""What a figure depends on beside the code that was measured, read where it is measured: the record of a result."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_HWCAP, _HWCAP2 = 16, 26
"""Types of the auxiliary vector (uapi/linux/auxvec.h) that hold a processor's features as bits."""
_PACKAGES: Final = ("bpflab", "pytest", "pytest-benchmark")
_CPUINFO: Final = Path("/proc/cpuinfo")


def inner() -> dict[str, Any]:
    """Tell of this process: versions, byte order, pointer size in bits, processor."""
    return {
        **{name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "libc": _libc(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "byteorder": sys.byteorder,
        "bits": sys.maxsize.bit_length() + 1,
        "cpu": {"hwcap": _bits(_HWCAP), "hwcap2": _bits(_HWCAP2)},
    }


def host_processor() -> dict[str, Any]:
    """Tell of the host's processor what /proc/cpuinfo says: model and features. In a guest it would be wrong."""
    try:
        text = _CPUINFO.read_text("utf-8", "replace")
    except OSError:
        return {}
    return processor(text)


def processor(text: str) -> dict[str, Any]:
    """Read /proc/cpuinfo, which has other words on each architecture."""
    lines = [line.partition(":") for line in text.splitlines()]
    first: dict[str, str] = {}
    for name, _, value in lines:
        first.setdefault(name.strip().lower(), value.strip())
    model = next((first[name] for name in ("model name", "cpu model", "cpu", "uarch") if first.get(name)), "")
    features = next((first[name] for name in ("flags", "features", "isa") if first.get(name)), "")
    return {"model": model, "features": sorted(features.split())}


def commit(directory: Path) -> dict[str, Any]:
    """Name the commit of a directory and say whether it has changes; empty where there is no git or no repository."""
    head = _output(["git", "-C", str(directory), "rev-parse", "HEAD"])
    if not head:
        return {}
    return {"id": head, "dirty": bool(_output(["git", "-C", str(directory), "status", "--porcelain"]))}


def qemu(program: str) -> str:
    """Tell the version of an emulator; empty if it says none."""
    found = re.search(r"version (\S+)", _output([program, "--version"]))
    return found[1] if found else ""


def _output(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return " ".join(platform.libc_ver()).strip()


def _bits(kind: int) -> str:
    """Ask the C library for an entry of the auxiliary vector."""
    try:
        ask = ctypes.CDLL(None).getauxval
    except (OSError, AttributeError):
        return ""
    ask.restype, ask.argtypes = ctypes.c_ulong, (ctypes.c_ulong,)
    return hex(ask(kind))
