"""The simulated kernel as a backend."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from bpflab.errors import NotSupportedError
from bpflab.sim.kernel import Machine, SimKernel
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Sequence

    from bpflab.backend.base import MappedMemory


class SimBackend:
    """Answers from a kernel in Python, which `kernel` gives: its clock, its random seed, its CPU."""

    name = "sim"

    def __init__(self, machine: Machine | None = None, *, seed: int = 0) -> None:
        self.kernel = SimKernel(machine, seed=seed)
        self._thread = threading.local()

    def bpf(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        """Answer bpf(2): the attr is read and written at its address."""
        answer = self.kernel.command(command, attr.value or 0, size)
        if answer < 0:
            self._thread.errno = -answer
            return -1
        return answer

    def errno(self) -> int:
        """Return the errno of this thread's last call of `bpf` that answered -1."""
        return getattr(self._thread, "errno", 0)

    def close(self, fd: int) -> None:
        """Close a descriptor; OSError (EBADF) when it is not open."""
        with self.kernel.lock:
            try:
                self.kernel.files.close(fd)
            except Refusal as refusal:
                raise os_error(refusal, "close") from None

    def dup(self, fd: int) -> int:
        """Return a second descriptor of the same object."""
        with self.kernel.lock:
            try:
                return self.kernel.files.dup(fd)
            except Refusal as refusal:
                raise os_error(refusal, "dup") from None

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Map a map's memory."""
        raise NotSupportedError("The simulated kernel cannot map maps into memory yet.")

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """Wait until any of the descriptors is readable."""
        kernel = self.kernel

        def ready() -> list[int]:
            return [fd for fd in fds if kernel.files.get(fd).object.readable()]

        with kernel.wakeup:
            kernel.wakeup.wait_for(ready, timeout)
            return ready()

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """Open a simulated perf event."""
        raise NotSupportedError("The simulated kernel has no perf events yet.")

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """Control a simulated perf event."""
        raise NotSupportedError("The simulated kernel has no ioctl yet.")

    def fence(self) -> None:
        """Nothing to order: programs and their consumers take turns under one lock."""

    def mount_bpf_fs(self) -> str:
        """Return the root of the simulated pin tree."""
        raise NotSupportedError("The simulated kernel cannot pin yet.")

    def shutdown(self) -> None:
        """Nothing is held outside of the Python objects."""

    @property
    def possible_cpus(self) -> int:
        """The machine's number of CPUs."""
        return self.kernel.machine.possible_cpus

    @property
    def release(self) -> tuple[int, int, int]:
        """The version of the kernel that is simulated."""
        return self.kernel.machine.release

    @property
    def byteorder(self) -> str:
        """The byte order of the simulated machine."""
        return self.kernel.machine.byteorder


def os_error(refusal: Refusal, call: str) -> OSError:
    """Build the OSError that a backend raises beside bpf(2)."""
    return OSError(refusal.errno, os.strerror(refusal.errno), call)
