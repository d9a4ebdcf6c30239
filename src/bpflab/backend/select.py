"""Which backend a name stands for, found by the name of its module."""

from __future__ import annotations

import ctypes
import platform

from bpflab.abi.commands import Command
from bpflab.backend.base import Backend
from bpflab.errors import ArgumentError, NotSupportedError

NAMES = ("kernel", "sim", "auto")
EPERM = 1
ENOSYS = 38


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
    raise ArgumentError(f"{wanted!r} is no backend; expected one of {', '.join(NAMES)}, or a Backend object.")


def kernel_refusal() -> str | None:
    """Say why bpf(2) cannot be used by this process, in a sentence; None when it can."""
    try:
        backend = _kernel()
    except NotSupportedError as error:
        return str(error)
    attr = ctypes.create_string_buffer(16)
    if backend.bpf(Command.MAP_GET_NEXT_ID, ctypes.c_void_p(ctypes.addressof(attr)), 12) >= 0:
        return None
    reasons = {
        EPERM: "bpf(2) is not permitted: it needs CAP_BPF or CAP_SYS_ADMIN (run as root).",
        ENOSYS: f"This kernel ({platform.release()}) or emulator has no bpf(2).",
    }
    return reasons.get(backend.errno())


def _kernel() -> Backend:
    from bpflab.backend.kernel import KernelBackend

    return KernelBackend()


def _sim() -> Backend:
    from bpflab.sim.backend import SimBackend

    return SimBackend()
