"""What a mock remembers of what was created on it: maps with their elements, programs, pins."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpflab.backend.known import KnownMap

FIRST_FD: Final = 1000
"""Far from the process's own descriptors, so that a mix-up shows."""


@dataclass(slots=True)
class MockObject:
    """Something behind a descriptor: its number, its name, the attr fields that it was created with."""

    kind: str
    id: int
    name: str
    fields: Mapping[str, object]

    def number(self, name: str) -> int:
        """Return an integer field, 0 where there is none."""
        value = self.fields.get(name)
        return value if isinstance(value, int) else 0


@dataclass(slots=True)
class MockMap(MockObject):
    """A map; its elements by key, as bytes, in the order in which they were put in. Queues have a list."""

    elements: dict[bytes, bytes] = field(default_factory=dict)
    queue: list[bytes] = field(default_factory=list)
    frozen: bool = False
    known: KnownMap | None = None
    """Its name and sizes, once somebody asked."""


class MockObjects:
    """Descriptors and what they stand for, numbers by kind, pins by path."""

    def __init__(self) -> None:
        self.fds: dict[int, MockObject] = {}
        self.pins: dict[str, MockObject] = {}
        self._next_fd = count(FIRST_FD)
        self._next_id: dict[str, Iterator[int]] = {}

    def create(self, kind: str, name: str, fields: Mapping[str, object], fd: int | None = None) -> int:
        """Remember a new object under a descriptor, the given one or a fresh one, and return that."""
        number = next(self._next_id.setdefault(kind, count(1)))
        make = MockMap if kind == "map" else MockObject
        return self.open(make(kind, number, name, fields), fd)

    def open(self, target: MockObject, fd: int | None = None) -> int:
        """Return a descriptor of an object, the given one or a fresh one."""
        number = fd if fd is not None else next(at for at in self._next_fd if at not in self.fds)
        self.fds[number] = target
        return number

    def get(self, fd: object, kind: str | None = None) -> MockObject:
        """Return what a descriptor stands for; OSError with EBADF for none, EINVAL for another kind."""
        target = self.fds.get(fd) if isinstance(fd, int) else None
        if target is None:
            raise refusal(Errno.EBADF)
        if kind is not None and target.kind != kind:
            raise refusal(Errno.EINVAL)
        return target

    def map(self, fd: object) -> MockMap:
        """Return the map of a descriptor; OSError as of `get`."""
        target = self.get(fd, "map")
        if not isinstance(target, MockMap):
            raise refusal(Errno.EINVAL)
        return target

    def by_id(self, kind: str, number: object) -> MockObject:
        """Return the object of a number, as long as a descriptor or pin holds it; OSError with ENOENT otherwise."""
        for target in (*self.fds.values(), *self.pins.values()):
            if target.kind == kind and target.id == number:
                return target
        raise refusal(Errno.ENOENT)

    def next_id(self, kind: str, start: object) -> int:
        """Return the smallest number above `start`; OSError with ENOENT when there is none."""
        held = {target.id for target in (*self.fds.values(), *self.pins.values()) if target.kind == kind}
        above = [number for number in held if isinstance(start, int) and number > start]
        if not above:
            raise refusal(Errno.ENOENT)
        return min(above)


def refusal(errno: Errno) -> OSError:
    """Make the error of a call that is refused."""
    return OSError(int(errno), errno.meaning)
