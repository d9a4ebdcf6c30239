"""The simulated kernel as a backend."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from bpflab.abi.errno import Errno
from bpflab.abi.rings import PERF_EVENT_ATTR
from bpflab.errors import ArgumentError
from bpflab.sim.kernel import Machine, SimKernel
from bpflab.sim.mapping import map_memory
from bpflab.sim.perf import SimPerfEvent, perf_ioctl
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Iterator, Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.backend.base import MappedMemory
    from bpflab.sim.clock import Chance, Clock
    from bpflab.sim.world import World

T = TypeVar("T")


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
        with self._answering("close"):
            self.kernel.files.close(fd)

    def dup(self, fd: int) -> int:
        """Return a second descriptor of the same object."""
        with self._answering("dup"):
            return self.kernel.files.dup(fd)

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Map a map's memory, or a perf event's buffer; OSError with the kernel's errno."""
        with self._answering("mmap"):
            return map_memory(self.kernel, fd, length, offset, writable=writable)

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """Wait until any of the descriptors is readable; those that are. Seconds of real time."""
        files = self.kernel.files

        def ready() -> list[int]:
            return [fd for fd in fds if files.get(fd).object.readable()]

        with self._answering("poll"):
            return self.kernel.wakeup.wait_for(ready, timeout)

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """Open a perf event; only those that programs write to ever have samples."""
        del pid, group_fd, flags
        kernel = self.kernel
        with self._answering("perf_event_open"):
            refuse_if(len(attr) < PERF_EVENT_ATTR.size)
            refuse_if(cpu >= kernel.machine.possible_cpus, Errno.ENODEV)
            return kernel.files.open(SimPerfEvent(kernel, attr, cpu))

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """Enable or disable a perf event, or give it a program; ENOTTY for anything else."""
        with self._answering("ioctl"):
            return perf_ioctl(self.kernel, fd, request, argument)

    def fence(self) -> None:
        """Order nothing: programs and their consumers take turns under one lock."""

    def mount_bpf_fs(self) -> str:
        """Return the root of a new tree of pins; it is no path of a real file system."""
        with self.kernel.lock:
            return self.kernel.bpffs.mount()

    def unlink(self, path: str) -> None:
        """Remove a pin; OSError with the errno."""
        with self._answering("unlink"):
            self.kernel.bpffs.unlink(path)

    def kernel_btf(self) -> bytes | None:
        """Return the types that the simulated kernel was given; None when it has none."""
        btf = self.kernel.types.btf
        return None if btf is None else btf.data

    def shutdown(self) -> None:
        """Remove all pins; descriptors given out are their owner's."""
        with self.kernel.lock:
            self.kernel.bpffs.unmount_all()

    @property
    def instructions(self) -> int:
        """How many instructions programs have executed in test runs."""
        return self.kernel.steps

    def keep(self) -> Callable[[], None]:
        """Remember the CPU, the clock, the random numbers and the world; the result sets them back."""
        from bpflab.sim.keep import KeptWorld

        return KeptWorld(self.kernel)

    def race(self, runs: Sequence[Callable[[], T]], turns: Sequence[int]) -> list[T]:
        """Call functions that run programs at the same time, each on its own CPU; see `Lab.race`."""
        from bpflab.sim.interleave import Interleaving

        if len(runs) > self.possible_cpus:
            raise ArgumentError(f"{len(runs)} runs race; the simulated machine has {self.possible_cpus} CPUs.")
        before, self.kernel.interleaving = self.kernel.cpu, Interleaving(self.kernel, len(runs), turns)
        try:
            return self.kernel.interleaving.run_all(runs)
        finally:
            self.kernel.interleaving, self.kernel.cpu = None, before

    @property
    def world(self) -> World:
        """The kernel's interfaces, routes, neighbours and replaced helpers, and what programs did."""
        return self.kernel.world

    @property
    def clock(self) -> Clock:
        """The kernel's clock."""
        return self.kernel.clock

    @property
    def random(self) -> Chance:
        """The kernel's random numbers."""
        return self.kernel.random

    @property
    def cpu(self) -> int:
        """The CPU that programs and system calls run on; ArgumentError for one that the machine does not have."""
        return self.kernel.cpu

    @cpu.setter
    def cpu(self, number: int) -> None:
        if not 0 <= number < self.possible_cpus:
            raise ArgumentError(f"CPU {number} was chosen; the simulated machine has 0 to {self.possible_cpus - 1}.")
        self.kernel.cpu = number

    @contextmanager
    def _answering(self, call: str) -> Iterator[None]:
        """Hold the kernel's lock, and turn its refusal into the OSError of a system call."""
        try:
            with self.kernel.lock:
                yield
        except Refusal as refusal:
            raise OSError(refusal.errno, os.strerror(refusal.errno), call) from None

    @property
    def possible_cpus(self) -> int:
        """The machine's number of CPUs."""
        return self.kernel.machine.possible_cpus

    @property
    def release(self) -> tuple[int, int, int]:
        """The version of the kernel that is simulated."""
        return self.kernel.machine.release

    @property
    def byteorder(self) -> ByteOrder:
        """The byte order of the simulated machine."""
        return self.kernel.machine.byteorder
