"""Mapped memory in a journal: what changed since it was last looked at, and who changed it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.backend.journal_entry import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab.backend.base import MappedMemory

LARGEST_REGION: Final = 1 << 24
"""Regions above this many bytes are not looked at: comparing one at each call would take too long."""
PIECE: Final = 64
"""Changes are found in pieces of so many bytes."""


@dataclass(slots=True)
class Region:
    """A mapping, as long as its owner keeps it, and what it held when it was last looked at."""

    number: int
    memory: Callable[[], MappedMemory | None]
    seen: bytes


class Regions:
    """All mappings of one backend; `write` takes what changed."""

    def __init__(self, write: Callable[[Memory], None]) -> None:
        self._write = write
        self._regions: list[Region] = []
        self._count = 0

    def add(self, memory: MappedMemory) -> None:
        """Watch a new mapping; what it holds now is recorded as the kernel's."""
        number, self._count = self._count, self._count + 1
        if len(memory) > LARGEST_REGION:
            return
        self._regions.append(Region(number, weakref.ref(memory), bytes(len(memory))))
        self.look(by_kernel=True)

    def look(self, *, by_kernel: bool) -> None:
        """Record what changed in any mapping since the last look."""
        if not self._regions:
            return
        for region in list(self._regions):
            now = contents(region.memory())
            if now is None:
                self._regions.remove(region)
            elif now != region.seen:
                self._write(Memory(region.number, by_kernel, tuple(differences(region.seen, now))))
                region.seen = now


def contents(memory: MappedMemory | None) -> bytes | None:
    """Copy what a mapping holds; None when it is gone or closed."""
    if memory is None:
        return None
    try:
        with memoryview(memory) as view:
            return view.tobytes()
    except ValueError:
        return None


def differences(old: bytes, new: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the offsets where bytes changed, with the new ones; neighbouring pieces come as one."""
    start = None
    for at in range(0, len(new), PIECE):
        if new[at : at + PIECE] == old[at : at + PIECE]:
            if start is not None:
                yield start, new[start:at]
            start = None
        elif start is None:
            start = at
    if start is not None:
        yield start, new[start:]
