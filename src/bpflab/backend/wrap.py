"""A backend around another one: every call goes through, until a subclass says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.backend.base import Backend, MappedMemory


class WrappedBackend:
    """Passes every call of the protocol on to `inner`; subclasses override what they watch or change."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.name = inner.name

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """The inner backend's bpf(2)."""
        return self.inner.bpf

    def errno(self) -> int:
        """Return the inner backend's errno."""
        return self.inner.errno()

    def close(self, fd: int) -> None:
        """Close a descriptor of the inner backend."""
        self.inner.close(fd)

    def dup(self, fd: int) -> int:
        """Duplicate a descriptor of the inner backend."""
        return self.inner.dup(fd)

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Map memory of the inner backend."""
        return self.inner.mmap(fd, length, writable=writable, offset=offset)

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """Wait for descriptors of the inner backend."""
        return self.inner.poll(fds, timeout)

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """Open a perf event of the inner backend."""
        return self.inner.perf_event_open(attr, pid, cpu, group_fd, flags)

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """Control a descriptor of the inner backend."""
        return self.inner.ioctl(fd, request, argument)

    def fence(self) -> None:
        """Order loads as the inner backend does."""
        self.inner.fence()

    def mount_bpf_fs(self) -> str:
        """Mount a BPF file system of the inner backend."""
        return self.inner.mount_bpf_fs()

    def unlink(self, path: str) -> None:
        """Remove a pin of the inner backend."""
        self.inner.unlink(path)

    def kernel_btf(self) -> bytes | None:
        """Return the inner backend's kernel BTF."""
        return self.inner.kernel_btf()

    def shutdown(self) -> None:
        """Shut the inner backend down."""
        self.inner.shutdown()

    @property
    def possible_cpus(self) -> int:
        """The inner backend's number of CPUs."""
        return self.inner.possible_cpus

    @property
    def release(self) -> tuple[int, int, int]:
        """The inner backend's kernel version."""
        return self.inner.release

    @property
    def byteorder(self) -> ByteOrder:
        """The inner backend's byte order."""
        return self.inner.byteorder
