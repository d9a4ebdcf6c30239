"""QUEUE and STACK: values without keys."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps import rules
from bpflab.sim.maps.base import EXIST, NOEXIST, SimMap
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec


class QueueMap(SimMap):
    """QUEUE: first in, first out. A push with EXIST drops the oldest value of a full map."""

    from_end: ClassVar[int] = 0

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        rules.check_memory((spec.max_entries + 1) * spec.value_size)
        self._values: deque[bytes] = deque()

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, and (E2BIG) a value that the kernel could not copy."""
        super().check(spec)
        refuse_if(spec.value_size > rules.KMALLOC_MAX, Errno.E2BIG)

    def push(self, value: bytes, flags: int) -> int:
        """Add a value; E2BIG when the map is full."""
        if flags & NOEXIST or flags > EXIST:
            return -Errno.EINVAL
        if len(self._values) >= self.max_entries:
            if not flags & EXIST:
                return -Errno.E2BIG
            self._values.popleft()
        self._values.append(value)
        return 0

    def pop(self) -> bytes | None:
        """Remove and return the next value."""
        if not self._values:
            return None
        return self._values.pop() if self.from_end else self._values.popleft()

    def peek(self, value: bytes = b"") -> bytes | None:
        """Return the next value."""
        del value
        return self._values[-self.from_end] if self._values else None

    def delete(self, key: bytes) -> int:
        """Refuse: there are no keys."""
        del key
        return -Errno.EINVAL

    def next_key(self, key: bytes | None) -> NoReturn:
        """Refuse: there are no keys."""
        del key
        raise Refusal(Errno.EINVAL)

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return the next value; ENOENT when there is none."""
        del key, flags
        return _value(self.peek())

    def sys_update(self, key: bytes, value: bytes, flags: int) -> int:
        """Add a value."""
        del key
        return self.push(value, flags)

    def sys_lookup_and_delete(self, key: bytes, flags: int) -> bytes:
        """Remove and return the next value; ENOENT when there is none."""
        del key, flags
        return _value(self.pop())


class StackMap(QueueMap):
    """STACK: last in, first out. A push with EXIST drops the oldest value of a full map."""

    from_end = 1


def _value(value: bytes | None) -> bytes:
    if value is None:
        raise Refusal(Errno.ENOENT)
    return value


TYPES = {MapType.QUEUE: QueueMap, MapType.STACK: StackMap}
