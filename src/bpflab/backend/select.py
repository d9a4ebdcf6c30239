"""Which backend a name stands for, found by the name of its module."""

from __future__ import annotations

import platform

from bpflab.abi.commands import Command
from bpflab.abi.prog_types import ProgType
from bpflab.backend.attr import Attr
from bpflab.backend.base import Backend
from bpflab.errors import ArgumentError, NotSupportedError

NAMES = ("kernel", "sim", "auto")
EPERM = 1
ENOSYS = 38
INVALID = bytes(8)
"""An instruction that does not exist."""


def open_backend(wanted: str | Backend) -> Backend:
    """Return the backend of that name, or the given one; ArgumentError with the known names otherwise."""
    if isinstance(wanted, Backend):
        return wanted
    if wanted == "kernel":
        return _kernel()
    if wanted == "sim":
        return _sim()
    if wanted == "auto":
        return _sim() if kernel_refusal() else _kernel()
    if wanted == "mock":
        return _mock()
    raise ArgumentError(f"{wanted!r} is no backend; expected one of {', '.join(NAMES)}, mock, or a Backend object.")


def kernel_refusal() -> str | None:
    """Say why bpf(2) cannot be used by this process, in a sentence; None when it can."""
    try:
        backend = _kernel()
    except NotSupportedError as error:
        return str(error)
    attr = Attr(Command.PROG_LOAD, {"prog_type": ProgType.XDP, "insns": INVALID, "insn_cnt": 1, "license": b"GPL\0"})
    # A program that no verifier takes: who may load one is told of the instruction (EINVAL), others get no further.
    fd = backend.bpf(Command.PROG_LOAD, attr.pointer, attr.size)
    if fd >= 0:
        backend.close(fd)
        return None
    reasons = {
        EPERM: "bpf(2) is not permitted: network programs need CAP_BPF and CAP_NET_ADMIN (run as root).",
        ENOSYS: f"This kernel ({platform.release()}) or emulator has no bpf(2).",
    }
    return reasons.get(backend.errno())


def _kernel() -> Backend:
    from bpflab.backend.kernel import KernelBackend

    return KernelBackend()


def _sim() -> Backend:
    from bpflab.sim.backend import SimBackend

    return SimBackend()


def _mock() -> Backend:
    from bpflab.backend.mock import MockBackend

    return MockBackend()
