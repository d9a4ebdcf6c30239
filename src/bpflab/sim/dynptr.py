"""Dynptrs: 16 bytes of the stack that stand for a piece of memory whose length is known at run time.

A program cannot look inside. Here the first eight bytes hold a number by which the run finds what the dynptr
stands for, as long as the bytes are where they were written (kernel/bpf/helpers.c, struct bpf_dynptr_kern).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

from bpflab.abi.errno import Errno
from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

SIZE: Final = 16
MAX_BYTES: Final = (1 << 24) - 1
"""The size of a dynptr has 24 bits (DYNPTR_MAX_SIZE)."""
STATE: Final = "dynptrs"


class PacketBytes(Protocol):
    """The packet behind a dynptr: copied out of and into, or looked at where it lies in one piece."""

    def load(self, offset: int, size: int) -> bytes | None:
        """Copy bytes out; None where they are not there."""

    def store(self, offset: int, content: bytes, flags: int) -> int:
        """Copy bytes in; a negative errno where that is refused."""

    def pointer(self, offset: int, size: int) -> int:
        """Return the address of bytes that lie in one piece; 0 otherwise."""


@dataclass(slots=True)
class Dynptr:
    """Memory at `address`, `size` bytes; or with `packet` the bytes of a packet from `address` on, its offset there.

    `address` is None for one that stands for nothing.
    """

    address: int | None = None
    size: int = 0
    writable: bool = True
    packet: PacketBytes | None = None

    @property
    def is_null(self) -> bool:
        """Whether it stands for nothing."""
        return self.address is None

    def place(self, offset: int) -> int:
        """Where a byte of it lies: in memory, or in its packet."""
        return (self.address or 0) + offset

    def holds(self, offset: int, size: int) -> bool:
        """Whether so many bytes are there from an offset on."""
        return size <= self.size and offset <= self.size - size


def put(env: Environment, place: int, made: Dynptr) -> None:
    """Write a dynptr to its place on the stack."""
    table = _table(env)
    number = len(table) + 1
    table[number] = made
    memory = env.run.memory
    memory.write(place, number.to_bytes(8, memory.order) + bytes(SIZE - 8))


def clear(env: Environment, place: int) -> None:
    """Make a dynptr stand for nothing."""
    put(env, place, Dynptr())


def at(env: Environment, place: int) -> Dynptr:
    """Return the dynptr at a place; a fault where there is none."""
    found = _table(env).get(env.run.memory.load(place, 8))
    if found is None:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"there is no dynptr at {place:#x}")
    return found


def load(env: Environment, source: Dynptr, offset: int, size: int) -> tuple[bytes, int]:
    """Copy bytes out of one that stands for something: the bytes and 0, or zeros and a negative errno."""
    if not source.holds(offset, size):
        return b"", -Errno.E2BIG
    if source.packet is None:
        return env.run.memory.read(source.place(offset), size) if size else b"", 0
    found = source.packet.load(source.place(offset), size)
    return (bytes(size), -Errno.EFAULT) if found is None else (found, 0)


def store(env: Environment, target: Dynptr, offset: int, content: bytes, flags: int) -> int:
    """Copy bytes in; 0 or a negative errno."""
    if target.is_null or not target.writable:
        return -Errno.EINVAL
    if not target.holds(offset, len(content)):
        return -Errno.E2BIG
    if target.packet is not None:
        return target.packet.store(target.place(offset), content, flags)
    if flags:
        return -Errno.EINVAL
    if content:
        env.run.memory.write(target.place(offset), content)
    return 0


def _table(env: Environment) -> dict[int, Dynptr]:
    return cast("dict[int, Dynptr]", env.state.setdefault(STATE, {}))
