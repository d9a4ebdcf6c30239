"""The protocol of a backend: everything that the library wants from a kernel.

`bpf()` takes the attr bytes exactly as bpf(2) does, by address, so that a test on any backend exercises
the packing that the running kernel will see. It answers as libc does, with -1 and an errno, because a
missing key is no exception on the cheap path; `bpflab.backend.call` turns answers into errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from bpflab.errors import NotSupportedError

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.clock import Chance, Clock
    from bpflab.sim.world import World

T = TypeVar("T")


class MappedMemory(Protocol):
    """Memory shared with the kernel: give it to `memoryview()`; close it when the views are released."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

    def __len__(self) -> int: ...

    def close(self) -> None:
        """Unmap. BufferError while views of it are alive."""


@runtime_checkable
class Backend(Protocol):
    """What answers for the kernel. Errors of the calls beside `bpf` are OSError with the errno."""

    name: str
    """One word for reports: `kernel`, `sim`, `mock`, ..."""

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """Call bpf(2): command, address of the attr, its exact size. A nonnegative answer, or -1 with errno().

        Pointers inside the attr are addresses in this process, whichever the backend.
        """

    def errno(self) -> int:
        """Return the errno of this thread's last call of `bpf` that answered -1."""

    def close(self, fd: int) -> None:
        """Close a file descriptor that this backend gave."""

    def dup(self, fd: int) -> int:
        """Return a second descriptor of the same object."""

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Map `length` bytes of a map (array, ring buffer, arena) from `offset`, shared."""

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """Wait until any of the descriptors is readable; those that are. Seconds; None waits for ever."""

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """Open a perf event; `attr` is `struct perf_event_attr`."""

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """Control a descriptor that this backend gave, such as a perf event's PERF_EVENT_IOC_ENABLE."""

    def fence(self) -> None:
        """Order this thread's loads against the kernel's stores (a barrier on every CPU that runs it)."""

    def mount_bpf_fs(self) -> str:
        """Mount a BPF file system that nobody else sees and return its root; it goes when the backend closes."""

    def unlink(self, path: str) -> None:
        """Remove a pin from a BPF file system."""

    def kernel_btf(self) -> bytes | None:
        """Return the BTF of the kernel's own types and functions, in its raw form; None when it has none."""

    def shutdown(self) -> None:
        """Release what the backend itself holds; descriptors given out are their owner's."""

    @property
    def possible_cpus(self) -> int:
        """How many CPUs the kernel can ever have: the number of values of a per-CPU map."""

    @property
    def release(self) -> tuple[int, int, int]:
        """The kernel's version, such as (6, 18, 44)."""

    @property
    def byteorder(self) -> ByteOrder:
        """`little` or `big`: the order of integers in maps, packets' host fields and instructions."""


@runtime_checkable
class Preparing(Protocol):
    """What a backend may offer besides: calls with all arguments bound, cheaper than `bpf` with them.

    A backend that wraps another one must not pass its `prepare` on, or calls would go past it.
    """

    def prepare(self, command: int, attr: ctypes.c_void_p, size: int) -> Callable[[], int]:
        """Bind the arguments of a call that never waits; the result answers as `bpf` with these arguments does."""


@runtime_checkable
class Simulating(Protocol):
    """What the backend of a simulated kernel offers besides: all that is the test's to set."""

    @property
    def instructions(self) -> int:
        """How many instructions programs have executed in test runs."""

    def keep(self) -> Callable[[], None]:
        """Remember all of it; the result sets it back, as often as it is called."""

    cpu: int
    """The CPU that programs run on, from 0 to `possible_cpus` - 1."""

    def race(self, runs: Sequence[Callable[[], T]], turns: Sequence[int]) -> list[T]:
        """Call functions that run programs at the same time, each on its own CPU."""

    @property
    def world(self) -> World:
        """Interfaces, routes, neighbours, replaced helpers, and what programs did."""

    @property
    def clock(self) -> Clock:
        """The time, which stands still until it is moved."""

    @property
    def random(self) -> Chance:
        """The numbers behind get_prandom_u32."""


@runtime_checkable
class Wrapping(Protocol):
    """A backend around another one."""

    inner: Backend


def is_simulating(backend: Backend) -> bool:
    """Tell whether a simulated kernel answers, at once or inside a backend around it."""
    if isinstance(backend, Simulating):
        return True
    return isinstance(backend, Wrapping) and is_simulating(backend.inner)


def simulated(backend: Backend) -> Simulating | None:
    """Return the simulated kernel's backend, or the one inside; None where no simulated kernel answers."""
    if isinstance(backend, Simulating):
        return backend
    return simulated(backend.inner) if isinstance(backend, Wrapping) else None


def simulating(backend: Backend, what: str) -> Simulating:
    """Return the simulated kernel's backend, or the one inside; NotSupportedError that names `what` without one."""
    found = simulated(backend)
    if found is not None:
        return found
    raise NotSupportedError(
        f"Backend {backend.name!r} has no {what} that a test can set; use the simulated kernel: --bpf=sim, Lab('sim')."
    )
