"""The batch commands as prepared calls over raw bytes.

A batch command moves up to `count` elements between two buffers in one system call. A walk's place between calls
is a token of the kernel's: a bucket number for hash maps, the last key for all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.backend.attr import Attr
from bpflab.maps.slots import prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab.abi.commands import Command
    from bpflab.backend.attr import AttrValue
    from bpflab.backend.base import Backend
    from bpflab.maps.shape import MapShape

CHUNK_BYTES: Final = 1 << 20
"""At most so many bytes of keys and values move in one call, unless a single element takes more."""
CHUNK_ENTRIES: Final = 4096
TOKEN_SIZE: Final = 4
INTERRUPTED: Final = frozenset({Errno.EINTR, Errno.EAGAIN})
PATIENCE: Final = 100
"""How often in turn a call may answer that it was interrupted before it had moved anything."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """`count` keys and values as bytes, one behind the other, valid until the next batch is read.

    A value's stride is the codec's size: in a per-CPU map, that of all CPUs.
    """

    count: int
    keys: memoryview
    values: memoryview


def chunk_entries(shape: MapShape) -> int:
    """Say how many elements of a map move in one call."""
    element = max(shape.key_size + shape.value.size, 1)
    most = max(1, min(CHUNK_ENTRIES, CHUNK_BYTES // element))
    return min(most, shape.max_entries) or most


class BatchReader:
    """Walks over a map by LOOKUP_BATCH or LOOKUP_AND_DELETE_BATCH."""

    def __init__(self, backend: Backend, fd: int, shape: MapShape, command: Command, count: int) -> None:
        self._errno = backend.errno
        self._shape = shape
        self._token = bytearray(max(TOKEN_SIZE, shape.key_size))
        self._fd = fd
        self._call: Callable[[], int]
        self._backend, self._command = backend, command
        self._allocate(count)

    def _allocate(self, count: int) -> None:
        shape = self._shape
        self._count = count
        self._keys = bytearray(count * shape.key_size)
        self._values = bytearray(count * shape.value.size)
        fields: dict[str, AttrValue] = {
            "out_batch": self._token,
            "keys": self._keys,
            "values": self._values,
            "map_fd": self._fd,
        }
        self._attr = Attr(self._command, fields)
        self._call = prepared(self._backend, self._command, self._attr)

    def read(self) -> Iterator[RawBatch]:
        """Read the map from its start; OSError with the errno when the kernel refuses."""
        started, waits = False, 0
        while True:
            self._attr["count"] = self._count
            errno = self._errno() if self._call() < 0 else 0
            moved = self._attr["count"] if errno != Errno.ENOSPC else 0
            if moved:
                yield self._batch(moved)
                started, waits = started or self._go_on(), 0
            if errno == Errno.ENOENT:
                return
            if errno == Errno.ENOSPC and self._count < self._shape.max_entries:
                self._allocate(self._count * 2)
                started = started and self._go_on()
            elif errno in INTERRUPTED and waits < PATIENCE:
                waits += 1
            elif errno:
                raise OSError(errno, self._command.name)

    def _go_on(self) -> bool:
        self._attr["in_batch"] = self._token
        return True

    def _batch(self, count: int) -> RawBatch:
        keys, values = memoryview(self._keys), memoryview(self._values)
        return RawBatch(count, keys[: count * self._shape.key_size], values[: count * self._shape.value.size])


def send_batch(backend: Backend, fd: int, command: Command, batch: RawBatch, flags: int = 0) -> tuple[int, int]:
    """Send UPDATE_BATCH or DELETE_BATCH; how many elements were done, and the errno that stopped it or 0.

    A kernel that refuses before the first element leaves the count as it was given: none was done.
    """
    fields: dict[str, AttrValue] = {"keys": batch.keys, "values": batch.values, "count": batch.count}
    attr = Attr(command, {**fields, "map_fd": fd, "elem_flags": flags})
    errno = backend.errno() if backend.bpf(command, attr.pointer, attr.size) < 0 else 0
    done = attr["count"]
    return (batch.count, 0) if not errno else (done if done < batch.count else 0, errno)


def batch_refusal(backend: Backend, fd: int, command: Command) -> int:
    """Ask for a batch of nothing: 0 when the kernel has the command for this map's type, else its errno."""
    attr = Attr(command, {"map_fd": fd})
    return backend.errno() if backend.bpf(command, attr.pointer, attr.size) < 0 else 0
