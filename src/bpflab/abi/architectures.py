"""What differs between machines: system call numbers, byte order, pointer size, the C library.

Numbers are from asm/unistd.h of each architecture. Nothing is opened when this module is imported.
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from bpflab.errors import NotSupportedError, UnknownArchitectureError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.abi.layout import ByteOrder

Library = TypeVar("Library")

_TABLE = """
call             x86_64   arm64   s390x riscv64 ppc64le   armhf
bpf                 321     280     351     280     361     386
perf_event_open     298     241     331     241     319     364
mmap                  9     222      90     222      90     192
munmap               11     215      91     215      91      91
membarrier          324     283     356     283     365     389
ioctl                16      29      54      29      54      54
close                 3      57       6      57       6       6
dup                  32      23      41      23      41      41
dup3                292      24     326      24     316     358
fcntl                72      25      55      25      55      55
poll                  7       -     168       -     167     168
ppoll               271      73     302      73     281     336
epoll_create1       291      20     327      20     315     357
epoll_ctl           233      21     250      21     237     251
epoll_pwait         281      22     312      22     303     346
read                  0      63       3      63       3       3
write                 1      64       4      64       4       4
socket               41     198     359     198     326     281
setsockopt           54     208     366     208     339     294
eventfd2            290      19     323      19     314     356
getcpu              309     168     311     168     302     345
gettid              186     178     236     178     207     224
unshare             272      97     303      97     282     337
setns               308     268     339     268     350     375
capget              125      90     184      90     183     184
prctl               157     167     172     167     171     172
memfd_create        319     279     350     279     360     385
fsopen              430     430     430     430     430     430
fsconfig            431     431     431     431     431     431
fsmount             432     432     432     432     432     432
"""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A kind of machine that the library can make system calls on.

    `aliases` are what `platform.machine()` says, in lower case; `libraries` the files to try for the
    C library, in order, where "" is the running program itself; `pointer_size` is in bytes.
    `syscalls` has a number for each name it knows; arm64 and riscv64 have no `poll`. On armhf `mmap`
    is mmap2, whose offset counts pages of `mmap_unit` bytes.
    """

    name: str
    aliases: tuple[str, ...]
    byte_order: ByteOrder
    pointer_size: int
    libraries: tuple[str, ...]
    syscalls: Mapping[str, int]
    mmap_unit: int = 1

    def syscall(self, name: str) -> int:
        """Return the number of a system call; NotSupportedError if the table has none for this machine."""
        try:
            return self.syscalls[name]
        except KeyError:
            known = ", ".join(self.syscalls)
            raise NotSupportedError(
                f"No number of system call {name!r} is known for {self.name}; known are {known}."
            ) from None


def _syscalls(architecture_name: str) -> Mapping[str, int]:
    heading, *rows = (line.split() for line in _TABLE.strip().splitlines())
    column = heading.index(architecture_name)
    return MappingProxyType({row[0]: int(row[column]) for row in rows if row[column] != "-"})


def _architecture(
    name: str,
    *aliases: str,
    musl: str,
    byte_order: ByteOrder = "little",
    pointer_size: int = 8,
    mmap_unit: int = 1,
) -> Architecture:
    libraries = ("libc.so.6", f"libc.musl-{musl}.so.1", f"ld-musl-{musl}.so.1", "")
    return Architecture(name, (name, *aliases), byte_order, pointer_size, libraries, _syscalls(name), mmap_unit)


ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        architecture.name: architecture
        for architecture in (
            _architecture("x86_64", "amd64", "x64", musl="x86_64"),
            _architecture("arm64", "aarch64", musl="aarch64"),
            _architecture("s390x", musl="s390x", byte_order="big"),
            _architecture("riscv64", musl="riscv64"),
            _architecture("ppc64le", "powerpc64le", musl="powerpc64le"),
            _architecture("armhf", "armv7l", "armv7", "armv8l", "arm", musl="armhf", pointer_size=4, mmap_unit=4096),
        )
    }
)
"""Every known architecture by name."""


def architecture(machine: str, *, pointer_size: int | None = None) -> Architecture:
    """Find an architecture by name or alias, in any case.

    `pointer_size` is that of the process in bytes. A 32-bit process on arm64 is armhf; any other
    32-bit process on a 64-bit machine is refused, as its system call numbers are others.
    UnknownArchitectureError names what was given and what is known.
    """
    wanted = machine.lower()
    found = next((a for a in ARCHITECTURES.values() if wanted in a.aliases), None)
    if found is not None and found.name == "arm64" and pointer_size == 4:
        found = ARCHITECTURES["armhf"]
    if found is None or pointer_size not in (None, found.pointer_size):
        bits = f" with {pointer_size * 8}-bit pointers" if pointer_size else ""
        known = "; ".join(" or ".join(a.aliases) for a in ARCHITECTURES.values())
        raise UnknownArchitectureError(f"No system call table for machine {machine!r}{bits}; known are {known}.")
    return found


def current() -> Architecture:
    """Return the architecture of this process; UnknownArchitectureError if it has no table."""
    return architecture(platform.machine(), pointer_size=struct.calcsize("P"))


def open_libc(found: Architecture, opener: Callable[[str | None], Library]) -> Library:
    """Open the C library of a machine by trying its candidates in order.

    `opener` is given a file name, or None for the running program, and raises OSError if there is no
    such library; `ctypes.CDLL` is one. NotSupportedError lists what was tried and why each failed.
    """
    failures = []
    for name in found.libraries:
        try:
            return opener(name or None)
        except OSError as error:
            failures.append(f"{name or 'the running program'} ({error})")
    raise NotSupportedError(f"No C library could be opened on {found.name}; tried {', '.join(failures)}.")
