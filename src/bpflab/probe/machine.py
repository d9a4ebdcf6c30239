"""What this machine offers beside bpf(2): compilers, BTF, file systems, settings of the kernel."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Final

from bpflab.probe.finding import Answer, Finding

KERNEL_BTF: Final = Path("/sys/kernel/btf/vmlinux")
MOUNTS: Final = Path("/proc/self/mounts")
SETTINGS: Final = (
    "net/core/bpf_jit_enable",
    "net/core/bpf_jit_harden",
    "kernel/unprivileged_bpf_disabled",
    "kernel/bpf_stats_enabled",
    "kernel/perf_event_paranoid",
)
"""Settings of the kernel that decide what BPF does (Documentation/admin-guide/sysctl)."""


def identity() -> dict[str, str]:
    """Return what this machine is: kernel, architecture, Python, user."""
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "user": str(os.geteuid()) if hasattr(os, "geteuid") else "unknown",
    }


def settings(root: Path = Path("/proc/sys")) -> dict[str, str]:
    """Return the kernel's settings that can be read, by name."""
    readable = {name: _read(root / name) for name in SETTINGS}
    return {name.replace("/", "."): value for name, value in readable.items() if value}


def probe_kernel_btf() -> Finding:
    """Find the kernel's own BTF, which tracing programs and CO-RE need."""
    try:
        size = KERNEL_BTF.stat().st_size
    except OSError:
        return Finding("kernel BTF", Answer.NO, f"{KERNEL_BTF} is missing: the kernel was built without BTF")
    return Finding("kernel BTF", Answer.YES, f"{KERNEL_BTF}, {size / 1e6:.1f} MB")


def probe_bpf_fs() -> Finding:
    """Find a mounted BPF file system, where pins outlive a process."""
    return _mounted("BPF file system", "bpf", "none is mounted; a Lab mounts a private one where it is permitted")


def probe_tracefs() -> Finding:
    """Find a mounted tracing file system, where tracepoints and kprobes are listed."""
    return _mounted("tracefs", "tracefs", "none is mounted")


def _mounted(name: str, kind: str, otherwise: str) -> Finding:
    # A line of /proc/self/mounts: device, directory, type, options (fstab(5)).
    rows = [line.split() for line in _read(MOUNTS).splitlines()]
    place = next((row[1] for row in rows if row[2] == kind), None)
    return Finding(name, Answer.YES, place) if place else Finding(name, Answer.NO, otherwise)


def probe_compiler() -> Finding:
    """Find the compiler that `load("x.bpf.c")` would use."""
    from bpflab.errors import CompileError
    from bpflab.obj.compilers import find_compiler

    try:
        compiler = find_compiler()
    except CompileError as error:
        return Finding("C compiler for BPF", Answer.NO, str(error))
    version = compiler.version.strip().partition("\n")[0]
    return Finding("C compiler for BPF", Answer.YES, f"{' '.join(compiler.command)} ({version})")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
