"""The running kernel: bpf(2) and its neighbours by ctypes.

No argtypes are declared: a call with plain ints and one prebuilt c_void_p is 1.5 times faster so, and
what is passed is checked by the callers' types. The object holds no state of a process, so it goes on
working after fork.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import platform
import re
import select
from pathlib import Path
from typing import TYPE_CHECKING

from bpflab.abi.architectures import current, open_libc
from bpflab.errors import NotSupportedError, PinError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.abi.architectures import Architecture
    from bpflab.abi.layout import ByteOrder
    from bpflab.backend.base import MappedMemory

MEMBARRIER_GLOBAL_EXPEDITED = 1 << 1
MEMBARRIER_REGISTER_GLOBAL_EXPEDITED = 1 << 2
FSCONFIG_CMD_CREATE = 6
CLOEXEC = 1
KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")


class KernelBackend:
    """Answers from bpf(2) of the kernel that runs this process."""

    name = "kernel"

    def __init__(self, architecture: Architecture | None = None) -> None:
        if platform.system() != "Linux":
            raise NotSupportedError(
                f"This is {platform.system()}, which has no bpf(2); use the simulated kernel (--bpf=sim) here."
            )
        self.architecture = architecture or current()
        self._libc = open_libc(self.architecture, _open_with_errno)
        self._syscall = self._libc.syscall
        self.bpf = functools.partial(self._syscall, self.architecture.syscall("bpf"))
        self._quick_syscall = open_libc(self.architecture, _open_keeping_gil).syscall
        self._mounts: list[int] = []

    def prepare(self, command: int, attr: ctypes.c_void_p, size: int) -> Callable[[], int]:
        """Bind the arguments of a call that never waits, for many repetitions.

        It keeps the GIL, and passes the address in the form that ctypes would make of it each time; together
        that saves a tenth of a map lookup.
        """
        number = self.architecture.syscall("bpf")
        return functools.partial(self._quick_syscall, number, command, ctypes.c_void_p.from_param(attr.value), size)

    def errno(self) -> int:
        """Return the errno of this thread's last call."""
        return ctypes.get_errno()

    def close(self, fd: int) -> None:
        """close(2)."""
        os.close(fd)

    def dup(self, fd: int) -> int:
        """dup(2), closed on exec."""
        return os.dup(fd)

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """mmap(2), shared."""
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(fd, length, mmap.MAP_SHARED, protection, offset=offset)

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """poll(2) for readable descriptors."""
        poller = select.poll()
        for fd in fds:
            poller.register(fd, select.POLLIN)
        return [fd for fd, _ in poller.poll(None if timeout is None else timeout * 1000)]

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """perf_event_open(2)."""
        buffer = ctypes.create_string_buffer(attr, len(attr))
        return self._checked("perf_event_open", ctypes.byref(buffer), pid, cpu, group_fd, ctypes.c_ulong(flags))

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """ioctl(2) with an integer or an address as its argument."""
        return self._checked("ioctl", fd, ctypes.c_ulong(request), ctypes.c_ulong(argument))

    def fence(self) -> None:
        """membarrier(2), GLOBAL_EXPEDITED: about a microsecond, orders loads on weakly ordered CPUs too."""
        self._register_fence()
        self._checked("membarrier", MEMBARRIER_GLOBAL_EXPEDITED, 0, 0)

    @functools.cached_property
    def possible_cpus(self) -> int:
        """The length of the kernel's list of possible CPUs (never the online count)."""
        return parse_cpu_list(Path("/sys/devices/system/cpu/possible").read_text(encoding="ascii"))

    @functools.cached_property
    def release(self) -> tuple[int, int, int]:
        """uname(2)'s release, as numbers."""
        return parse_release(platform.release())

    @property
    def byteorder(self) -> ByteOrder:
        """The byte order of this machine."""
        return self.architecture.byte_order

    def mount_bpf_fs(self) -> str:
        """Mount a detached BPF file system (fsopen(2), fsmount(2)): no other process sees it.

        Returns a path below which pins are made; the mount goes when the backend shuts down.
        """
        try:
            self._mounts.append(self._detached_mount())
        except OSError as error:
            raise PinError(
                f"A private BPF file system could not be mounted ({error.strerror}); it needs CAP_SYS_ADMIN and "
                "Linux 5.2. Mount one yourself (mount -t bpf bpf /sys/fs/bpf) and give its path."
            ) from error
        return f"/proc/self/fd/{self._mounts[-1]}"

    def unlink(self, path: str) -> None:
        """unlink(2)."""
        Path(path).unlink()

    def kernel_btf(self) -> bytes | None:
        """Read /sys/kernel/btf/vmlinux; None on a kernel built without CONFIG_DEBUG_INFO_BTF."""
        return KERNEL_BTF.read_bytes() if KERNEL_BTF.exists() else None

    def shutdown(self) -> None:
        """Unmount the private BPF file systems."""
        while self._mounts:
            os.close(self._mounts.pop())

    def _detached_mount(self) -> int:
        context = self._checked("fsopen", ctypes.c_char_p(b"bpf"), CLOEXEC)
        try:
            self._checked("fsconfig", context, FSCONFIG_CMD_CREATE, None, None, 0)
            return self._checked("fsmount", context, CLOEXEC, 0)
        finally:
            os.close(context)

    @functools.cache  # noqa: B019 - a backend lives as long as its process
    def _register_fence(self) -> None:
        self._checked("membarrier", MEMBARRIER_REGISTER_GLOBAL_EXPEDITED, 0, 0)

    def _checked(self, call: str, *arguments: object) -> int:
        answer: int = self._syscall(self.architecture.syscall(call), *arguments)
        if answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), call)
        return answer


def _open_with_errno(name: str | None) -> ctypes.CDLL:
    return ctypes.CDLL(name, use_errno=True)


def _open_keeping_gil(name: str | None) -> ctypes.PyDLL:
    return ctypes.PyDLL(name, use_errno=True)


def parse_cpu_list(text: str) -> int:
    """Count the CPUs of a kernel CPU list such as `0-3,8-11`: 8, the number of values in a per-CPU map."""
    ranges = re.findall(r"(\d+)(?:-(\d+))?", text)
    return sum(int(last or first) - int(first) + 1 for first, last in ranges)


def parse_release(text: str) -> tuple[int, int, int]:
    """Read `6.18.44-cloud` as (6, 18, 44); parts that are missing are 0."""
    numbers = re.findall(r"\d+", text.split("-", maxsplit=1)[0])[:3]
    major, minor, patch = (*map(int, numbers), 0, 0, 0)[:3]
    return major, minor, patch
