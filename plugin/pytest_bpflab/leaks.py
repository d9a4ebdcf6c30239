"""What a test left open in the kernel."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_bpflab.warnings import BpfLeakWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

DESCRIPTORS: Final = Path("/proc/self/fd")
KINDS: Final = {
    "anon_inode:bpf-map": "map",
    "anon_inode:bpf-prog": "program",
    "anon_inode:bpf_link": "link",
    "anon_inode:bpf-link": "link",
    "anon_inode:btf": "BTF",
    "anon_inode:[perf_event]": "perf event",
}
"""What the kernel calls its descriptors in /proc (the names given to anon_inode_getfd), and what they are."""


@contextmanager
def told_of_leaks(node: pytest.Item | pytest.Collector, backend: str) -> Iterator[None]:
    """Warn of what is open afterwards and was not before; only the kernel's descriptors can be seen."""
    before = open_in_kernel() if backend == "kernel" else {}
    yield
    left = {fd: what for fd, what in open_in_kernel().items() if before.get(fd) != what} if backend == "kernel" else {}
    if left:
        node.warn(BpfLeakWarning(leak_text(node.name, left)))


def open_in_kernel() -> dict[int, str]:
    """Return this process's descriptors of BPF objects, with what each is."""
    if not DESCRIPTORS.is_dir():
        return {}
    found = {}
    for entry in DESCRIPTORS.iterdir():
        try:
            kind = KINDS.get(str(entry.readlink()))
        except FileNotFoundError:  # the descriptor by which the directory itself is read
            continue
        if kind:
            found[int(entry.name)] = kind
    return found


def leak_text(test: str, left: dict[int, str]) -> str:
    """Say what a test left open."""
    listed = ", ".join(f"a {kind} (fd {fd})" for fd, kind in sorted(left.items()))
    return (
        f"{test} left open in the kernel: {listed}. It was opened outside the fixture's Lab: close it, open it "
        "through the fixture, or use `with Lab(...)`."
    )
