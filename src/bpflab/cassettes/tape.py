"""A cassette's entries in the order in which they are due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.backend.journal_entry import Call, Memory, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpflab.backend.journal_entry import Entry

UNORDERED: Final = frozenset({"close", "poll"})
"""Calls whose place among the others means nothing: other threads and the garbage collector make them."""


class Tape:
    """Gives out one entry after the other. `count` is the number of those that were given out."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        whole = tuple(entries)
        self._polls = [each for each in whole if isinstance(each, Side) and each.name == "poll"]
        self._rest = [each for each in whole if not (isinstance(each, Side) and each.name in UNORDERED)]
        self._at = 0
        self.count = 0

    def pending(self) -> Iterator[Memory]:
        """Yield the changes of memory that come before the next call."""
        while self._at < len(self._rest):
            entry = self._rest[self._at]
            if not isinstance(entry, Memory):
                return
            self._at += 1
            yield entry

    def after(self) -> Iterator[Memory]:
        """Yield the changes of memory that the kernel made in the call that was given out last."""
        while self._at < len(self._rest):
            entry = self._rest[self._at]
            if not isinstance(entry, Memory) or not entry.by_kernel:
                return
            self._at += 1
            yield entry

    def take(self) -> Entry | None:
        """Give out the next call; None after the last."""
        self.count += 1
        if self._at == len(self._rest):
            return None
        entry = self._rest[self._at]
        self._at += 1
        return entry

    def next(self) -> Entry | None:
        """Return the next call of bpf(2), and leave it there; None when there is none."""
        return next((entry for entry in self._rest[self._at :] if isinstance(entry, Call)), None)

    def poll(self, fds: list[int]) -> list[int] | None:
        """Give out what was ready at the next poll of these descriptors; None when there is none left."""
        for index, entry in enumerate(self._polls):
            if entry.arguments["fds"] == fds:
                del self._polls[index]
                return list(entry.result) if isinstance(entry.result, list) else []
        return None
