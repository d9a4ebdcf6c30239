"""What differs between machines: system call numbers, byte order, pointer size, the C library.

Numbers are from asm/unistd.h of each architecture. Nothing is opened when this module is imported.
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from bpflab.errors import NotSupportedError, UnknownArchitectureError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Library = TypeVar("Library")

_NAMES = (
    "bpf perf_event_open mmap munmap membarrier ioctl close dup dup3 fcntl poll ppoll epoll_create1 epoll_ctl "
    "epoll_pwait read write socket setsockopt eventfd2 getcpu gettid unshare setns capget prctl memfd_create"
)
_GENERIC = "280 241 222 215 283 29 57 23 24 25 - 73 20 21 22 63 64 198 208 19 168 178 97 268 90 167 279"
_NUMBERS = {
    "x86_64": ("321 298 9 11 324 16 3 32 292 72 7 271 291 233 281 0 1 41 54 290 309 186 272 308 125 157 319"),
    "arm64": _GENERIC,
    "riscv64": _GENERIC,
    "s390x": ("351 331 90 91 356 54 6 41 326 55 168 302 327 250 312 3 4 359 366 323 311 236 303 339 184 172 350"),
    "ppc64le": ("361 319 90 91 365 54 6 41 316 55 167 281 315 237 303 3 4 326 339 314 302 207 282 350 183 171 360"),
    "armhf": ("386 364 192 91 389 54 6 41 358 55 168 336 357 251 346 3 4 281 294 356 345 224 337 375 184 172 385"),
}


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
    byte_order: Literal["little", "big"]
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


def _syscalls(name: str) -> Mapping[str, int]:
    pairs = zip(_NAMES.split(), _NUMBERS[name].split(), strict=True)
    return MappingProxyType({call: int(number) for call, number in pairs if number != "-"})


def _architecture(
    name: str,
    *aliases: str,
    musl: str,
    byte_order: Literal["little", "big"] = "little",
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
