"""What the tests of the simulated kernel's objects share."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn, encode

CLONE_NEWNET = 0x40000000
Descriptors = tuple[int, int]


@pytest.fixture
def load(both: Any) -> Callable[..., Descriptors]:
    """Give the function that loads a program which returns a number into both kernels."""

    def program(prog_type: ProgType = ProgType.SOCKET_FILTER, result: int = 0, **values: Any) -> Descriptors:
        code = encode([Insn(0xB7, imm=result), Insn(0x95)])
        loaded: Descriptors = both.open(
            Command.PROG_LOAD, prog_type=prog_type, insn_cnt=2, insns=code, license=b"GPL\0", **values
        )
        return loaded

    return program


@pytest.fixture
def network(both: Any) -> Iterator[int]:
    """Enter a network namespace of the test's own, with a loopback interface alone, and give its descriptor."""
    del both
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET):
            pytest.skip(f"no network namespace of one's own: {os.strerror(ctypes.get_errno())}")
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield own
        finally:
            os.close(own)
            libc.setns(before, CLONE_NEWNET)
    finally:
        os.close(before)


@pytest.fixture
def cgroup(both: Any) -> Iterator[int]:
    """Make a cgroup of the test's own, and give a descriptor of its directory."""
    del both
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    root = next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)
    if root is None:
        pytest.skip("no cgroup2 file system is mounted")
    path = Path(root) / f"bpflab-{os.getpid()}"
    path.mkdir()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
        path.rmdir()


@pytest.fixture
def bpf_fs(both: Any) -> Iterator[tuple[str, str]]:
    """Mount a BPF file system in each kernel, and give their roots."""
    kernel, sim = both.backends
    yield kernel.mount_bpf_fs(), sim.mount_bpf_fs()
    both.close()
    kernel.shutdown()
    sim.shutdown()
